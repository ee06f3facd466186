namespace Weir.Conformance.Rules;

/// <summary>Files at offsets: pread(2) and what goes with it.</summary>
public sealed class FileDataTests : ConformanceTests
{
    private const FileFlags New = FileFlags.ReadWrite | FileFlags.Create | FileFlags.Exclusive;

    [Fact]
    public void Bytes_are_read_where_they_were_written() => Run(m =>
    {
        Fd file = m.OpenNamed(m.FreshPath(), New);
        m.PRead(file, 10, 0).Is(0);
        m.PWrite(file, 10, 0).Is(10);
        m.PWrite(file, 5, 20).Is(5);
        m.PRead(file, 10, 0).Is(10);
        m.PRead(file, 10, 5).Is(10); // into the gap
        m.PRead(file, 10, 22).Is(3);
        m.PRead(file, 10, 25).Is(0);
        m.PRead(file, 10, 1L << 40).Is(0);
        m.PRead(file, 0, 0).Is(0);
        m.PWrite(file, 0, 100).Is(0);
        m.Stat(file).Is(25);
    });

    [Fact]
    public void The_files_own_position_stays() => Run(m =>
    {
        Fd file = m.OpenNamed(m.FreshPath(), New);
        m.Write(file, 5).Is(5);
        m.PWrite(file, 3, 0).Is(3);
        m.PRead(file, 3, 1).Is(3);
        m.Write(file, 2).Is(2);
        m.Stat(file).Is(7);
        m.PRead(file, 10, 0).Is(7);
    });

    [Fact]
    public void Vectors_are_one_stretch_of_bytes() => Run(m =>
    {
        Fd file = m.OpenNamed(m.FreshPath(), New);
        m.PWriteV(file, [3, 0, 7], 4).Is(10);
        m.PReadV(file, [1, 2, 20], 4).Is(10);
        m.PReadV(file, [], 0).Is(0);
        m.PReadV(file, [5], 14).Is(0);
        m.PReadVCount(file, 1024, 0).Is(0);
        m.PReadVCount(file, 1025, 0).Is(Errno.EINVAL);
        m.PReadVCount(file, -1, 0).Is(Errno.EINVAL);
    });

    [Fact]
    public void Bad_offsets_descriptors_and_addresses_are_errors() => Run(m =>
    {
        string path = m.FreshPath();
        Fd file = m.OpenNamed(path, New);
        m.PWrite(file, 10, 0).Is(10);
        m.PRead(file, 1, -1).Is(Errno.EINVAL);
        m.PWrite(file, 1, -1).Is(Errno.EINVAL);
        m.PReadV(file, [1], -1).Is(Errno.EINVAL);
        m.PReadNowhere(file, 1, 0).Is(Errno.EFAULT);
        m.PWriteNowhere(file, 1, 0).Is(Errno.EFAULT);
        Fd reader = m.OpenNamed(path, FileFlags.ReadOnly), writer = m.OpenNamed(path, FileFlags.WriteOnly);
        m.PWrite(reader, 1, 0).Is(Errno.EBADF);
        m.PRead(writer, 1, 0).Is(Errno.EBADF);
        m.Close(file).Is(0);
        m.PRead(file, 1, 0).Is(Errno.EBADF);
        m.PRead(file, 1, -1).Is(Errno.EINVAL);
        m.PWriteV(file, [1], 0).Is(Errno.EBADF);
        m.FSync(file).Is(Errno.EBADF);
        m.FTruncate(file, 0).Is(Errno.EBADF);
        m.FTruncate(file, -1).Is(Errno.EINVAL);
        m.FAllocate(file, FileAllocation.Default, 0, 1).Is(Errno.EBADF);
        m.Stat(file).Is(Errno.EBADF);
    });

    [Fact]
    public void What_has_no_offsets_says_so() => Run(m =>
    {
        (Fd read, Fd write) = m.Pipe();
        (Fd left, _) = m.SocketPair();
        foreach (Fd fd in new[] { read, write, left, m.EventFd(), m.TimerFd(), m.Epoll() })
        {
            m.PRead(fd, 8, 0).Is(Errno.ESPIPE);
            m.PWrite(fd, 8, 0).Is(Errno.ESPIPE);
            m.PReadV(fd, [8], 0).Is(Errno.ESPIPE);
            m.FSync(fd).Is(Errno.EINVAL);
            m.FTruncate(fd, 0).Is(Errno.EINVAL);
        }

        m.FAllocate(write, FileAllocation.Default, 0, 1).Is(Errno.ESPIPE);
        m.FAllocate(read, FileAllocation.Default, 0, 1).Is(Errno.EBADF);
        m.FAllocate(left, FileAllocation.Default, 0, 1).Is(Errno.ENODEV);
    });

    [Fact]
    public void Directories_and_devices_have_their_own_answers() => Run(m =>
    {
        Fd directory = m.Unpollable(UnpollableFile.Directory), nothing = m.Unpollable(UnpollableFile.Null), zero = m.Unpollable(UnpollableFile.Zero), path = m.Unpollable(UnpollableFile.PathOnly);
        m.PRead(directory, 1, 0).Is(Errno.EISDIR);
        m.PWrite(directory, 1, 0).Is(Errno.EBADF);
        m.FSync(directory).Is(0);
        m.FTruncate(directory, 0).Is(Errno.EINVAL);
        m.Stat(directory).Is(0);
        m.PRead(nothing, 5, 7).Is(0);
        m.PWrite(nothing, 5, 7).Is(5);
        m.PRead(zero, 5, 7).Is(5);
        m.FSync(nothing).Is(Errno.EINVAL);
        m.FTruncate(nothing, 0).Is(Errno.EINVAL);
        m.FAllocate(nothing, FileAllocation.Default, 0, 1).Is(Errno.ENODEV);
        m.Stat(nothing).Is(0);
        m.PRead(path, 1, 0).Is(Errno.EBADF);
        m.FSync(path).Is(Errno.EBADF);
        m.Stat(path).Is(0);
    });

    [Fact]
    public void Lengths_are_cut_and_extended_with_zeros() => Run(m =>
    {
        string path = m.FreshPath();
        Fd file = m.OpenNamed(path, New);
        m.PWrite(file, 10, 0).Is(10);
        m.FTruncate(file, 4).Is(0);
        m.PRead(file, 10, 0).Is(4);
        m.FTruncate(file, 8).Is(0);
        m.PRead(file, 10, 4).Is(4);
        m.Stat(file).Is(8);
        m.FTruncate(m.OpenNamed(path, FileFlags.ReadOnly), 0).Is(Errno.EINVAL);
    });

    [Fact]
    public void Space_is_allocated_with_and_without_the_length() => Run(m =>
    {
        string path = m.FreshPath();
        Fd file = m.OpenNamed(path, New);
        m.FAllocate(file, FileAllocation.KeepSize, 0, 10_000).Is(0);
        m.Stat(file).Is(0);
        m.FAllocate(file, FileAllocation.Default, 1000, 2000).Is(0);
        m.Stat(file).Is(3000);
        m.FAllocate(file, FileAllocation.Default, 0, 10).Is(0);
        m.Stat(file).Is(3000);
        m.PWrite(file, 20, 0).Is(20);
        m.FAllocate(file, FileAllocation.PunchHole | FileAllocation.KeepSize, 5, 10).Is(0);
        m.PRead(file, 5, 0).Is(5);
        m.PRead(file, 10, 5).Is(10);
        m.PRead(file, 5, 15).Is(5);
        m.FAllocate(file, FileAllocation.ZeroRange, 15, 5000).Is(0);
        m.PRead(file, 5, 15).Is(5);
        m.Stat(file).Is(5015);
        m.FAllocate(file, FileAllocation.PunchHole, 0, 10).Is(Errno.EOPNOTSUPP);
        m.FAllocate(file, FileAllocation.Default, -1, 10).Is(Errno.EINVAL);
        m.FAllocate(file, FileAllocation.Default, 0, 0).Is(Errno.EINVAL);
        m.FAllocate(file, FileAllocation.Default, long.MaxValue, 10).Is(Errno.EFBIG);
        m.FAllocate(m.OpenNamed(path, FileFlags.ReadOnly), FileAllocation.Default, 0, 10).Is(Errno.EBADF);
    });

    [Fact]
    public void The_status_tells_type_permissions_links_and_size() => Run(m =>
    {
        string path = m.FreshPath();
        m.Stat(path).Is(Errno.ENOENT);
        Fd file = m.OpenNamed(path, New, mode: 0x1FF);
        m.PWrite(file, 7, 0).Is(7);
        m.Stat(path).Is(7);
        m.Stat(file).Is(7);
        m.Stat(path + "/below").Is(Errno.ENOTDIR);
        m.Stat("").Is(Errno.ENOENT);
        m.Stat(path, intoNowhere: true).Is(Errno.EFAULT);
        m.Stat(path, (StatXFlags)0x8).Is(Errno.EINVAL);
        m.Stat(file, StatXFlags.None).Is(Errno.ENOENT);
        m.Stat(file, mask: (StatXMask)0x8000_0000u).Is(Errno.EINVAL);
        (Fd read, _) = m.Pipe();
        m.Stat(read).Is(0);
        m.Stat(m.EventFd()).Is(0);
        m.Stat(m.Unpollable(UnpollableFile.Regular)).Is(0);
    });

    [Fact]
    public void Data_is_flushed() => Run(m =>
    {
        Fd file = m.OpenNamed(m.FreshPath(), New);
        m.PWrite(file, 7, 0).Is(7);
        m.FSync(file).Is(0);
        m.FSync(file, dataOnly: true).Is(0);
    });

    [Fact]
    public void Appending_ignores_the_offset() => Run(m =>
    {
        Fd file = m.OpenNamed(m.FreshPath(), New | FileFlags.Append);
        m.PWrite(file, 5, 0).Is(5);
        m.PWrite(file, 5, 0).Is(5);
        m.PRead(file, 20, 0).Is(10);
    });
}
