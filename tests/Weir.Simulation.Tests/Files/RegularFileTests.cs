using System.Text;

namespace Weir.Simulation.Tests;

public unsafe class RegularFileTests
{
    [Fact]
    public void Epoll_refuses_what_is_always_ready()
        => TwoKernels.Agree(probe =>
        {
            string path = probe.Path("file");
            int epoll = probe.Keep(probe.Epoll(), "epoll");
            int file = probe.Open(path, FileFlags.ReadWrite | FileFlags.Create, "file");
            probe.Open("/", FileFlags.ReadOnly, "directory");
            foreach (int fd in (int[])[file, probe.Open("/tmp", FileFlags.ReadOnly, "directory"), probe.Open("/dev/null", FileFlags.ReadWrite, "null"), probe.Open("/dev/zero", FileFlags.ReadWrite, "zero")])
            {
                probe.Add(epoll, fd, EpollEvents.In);
                probe.Poll(fd);
                probe.StatusFlags(fd);
                probe.Readable(fd);
            }

            probe.Unlink(path);
        });

    [Fact]
    public void An_O_PATH_descriptor_is_no_file_to_most_calls()
        => TwoKernels.Agree(probe =>
        {
            int epoll = probe.Keep(probe.Epoll(), "epoll");
            int place = probe.Open("/tmp", OpenFlags.Path, "place");
            probe.Add(epoll, place, EpollEvents.In);
            probe.Poll(place);
            probe.Read(place, 1);
            probe.Write(place, 1);
            probe.StatusFlags(place);
            probe.Readable(place);
            probe.Log(probe.Kernel.Fcntl(place, FcntlCommand.SetStatusFlags, 0), "F_SETFL");
            probe.Log(probe.Kernel.Fcntl(place, FcntlCommand.GetDescriptorFlags, 0), "F_GETFD");
            int copy = probe.Keep(probe.Kernel.Fcntl(place, FcntlCommand.DupCloseOnExec, 0), "copy");
            probe.Read(copy, 1);
            probe.Close(copy);
            int nothing = probe.Open("/dev/null", FileFlags.ReadWrite, "null");
            probe.Add(place, nothing, EpollEvents.In);
            probe.Log(Math.Min(0, probe.Kernel.Dup3(place, nothing, 0)), "dup3 onto the other");
            probe.Write(nothing, 1);
        });

    [Fact]
    public void Bytes_are_read_and_written_at_the_position_and_appended()
        => TwoKernels.Agree(probe =>
        {
            string path = probe.Path("file");
            int file = probe.Open(path, FileFlags.ReadWrite | FileFlags.Create | FileFlags.Exclusive, "file");
            Encoding.ASCII.GetBytes("hello world", new Span<byte>(probe.Bytes, 100));
            probe.Write(file, 11);
            probe.Read(file, 10);
            probe.WriteNowhere(file, 3);
            int again = probe.Open(path, FileFlags.ReadOnly, "again");
            probe.Readable(again);
            probe.Write(again, 1);
            probe.ReadNowhere(again, 3);
            probe.Read(again, 5);
            Show(5);
            probe.Read(again, 100);
            Show(6);
            probe.Read(again, 100);
            probe.ReadNowhere(again, 100);
            int appending = probe.Open(path, FileFlags.WriteOnly | FileFlags.Append, "appending");
            probe.Write(appending, 3);
            probe.Write(file, 1);
            probe.Read(again, 100);
            probe.Write(appending, 100_000);
            probe.Read(again, 200_000);
            int truncating = probe.Open(path, FileFlags.WriteOnly | FileFlags.Truncate, "truncating");
            probe.Read(again, 100);
            probe.Write(truncating, 2);
            probe.Unlink(path);
            probe.Write(truncating, 2);
            probe.Open(path, FileFlags.ReadOnly, "gone");

            void Show(int count) => probe.Note(Encoding.ASCII.GetString(probe.Bytes, count));
        });

    [Fact]
    public void Paths_are_walked_and_refused_as_by_the_kernel()
        => TwoKernels.Agree(probe =>
        {
            string path = probe.Path("file");
            probe.Open(path, FileFlags.WriteOnly | FileFlags.Create, "file");
            probe.TryOpen("/", FileFlags.ReadWrite);
            probe.TryOpen("/tmp", FileFlags.WriteOnly);
            probe.TryOpen("/tmp", FileFlags.Create);
            probe.TryOpen("/tmp", FileFlags.Create | FileFlags.Exclusive);
            probe.TryOpen("/tmp/", FileFlags.ReadOnly);
            probe.TryOpen("//tmp/.//../tmp", OpenFlags.Directory);
            probe.TryOpen("", FileFlags.ReadOnly);
            probe.TryOpen("/weir-no-such-file", FileFlags.ReadOnly);
            probe.TryOpen("/tmp/weir-no-such-directory/file", FileFlags.ReadWrite | FileFlags.Create);
            probe.TryOpen(path + "/file", FileFlags.ReadOnly);
            probe.TryOpen(path + "/", FileFlags.ReadOnly);
            probe.TryOpen(path + "-new/", FileFlags.ReadWrite | FileFlags.Create);
            probe.TryOpen(path, FileFlags.ReadWrite | FileFlags.Create | FileFlags.Exclusive);
            probe.TryOpen(path, OpenFlags.Directory);
            probe.Log(probe.Kernel.Open((byte*)Probe.Nowhere, 0, 0), "open(nowhere)");
            probe.Unlink("/tmp");
            probe.Unlink("/");
            probe.Unlink("");
            probe.Unlink("/weir-no-such-file");
            probe.Unlink(path + "/file");
            probe.Unlink(path + "/");
            probe.Unlink(path);
            probe.Unlink(path);
        });

    [Fact]
    public void Devices_and_directories_read_as_they_do()
        => TwoKernels.Agree(probe =>
        {
            int directory = probe.Open("/tmp", FileFlags.ReadOnly, "directory");
            probe.Read(directory, 10);
            probe.ReadNowhere(directory, 10);
            probe.Write(directory, 10);
            int nothing = probe.Open("/dev/null", FileFlags.ReadWrite, "null");
            probe.Read(nothing, 10);
            probe.ReadNowhere(nothing, 10);
            probe.WriteNowhere(nothing, 10);
            int zero = probe.Open("/dev/zero", FileFlags.ReadWrite, "zero");
            probe.Bytes[999] = 1;
            probe.Read(zero, 1000);
            probe.Note($"{probe.Bytes[999]}");
            probe.ReadNowhere(zero, 10);
            probe.WriteNowhere(zero, 10);
        });

    [Fact]
    public void A_memory_file_is_a_regular_file()
    {
        TwoKernels.Simulated(probe =>
        {
            int memory = ((SimKernel)probe.Kernel).MakeMemoryFile("name");
            int epoll = probe.Epoll();
            Assert.Equal(-(int)Errno.EPERM, probe.Add(epoll, memory, EpollEvents.In));
            Assert.Equal(3, probe.Write(memory, 3));
            Assert.Equal(0, probe.Read(memory, 3));
        });
    }
}
