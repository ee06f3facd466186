using System.Runtime.InteropServices;

namespace Weir.Tests;

/// <summary>A file with many operations has a place among the files registered with the loop's ring. This class: a ring inside an epoll loop.</summary>
public partial class RegisteredFileTests : FileTests
{
    private const int Before = 15; // operations that go by number in any case

    private protected RingWatch Watch { get; private set; } = null!;

    protected override CountingKernel MakeKernel() => Watch = new RingWatch(InnerKernel);

    // Without io_uring, or on a kernel before 6.14, there is nothing to see.
    private bool HasPlaces => !OnLinux || (IoUring.WhyNot == null && RingWatch.HasPlaces(InnerKernel));

    private string NewFile(int length) => NewFile([.. Enumerable.Range(0, length).Select(i => (byte)i)]);

    private static async Task ReadTimes(AsyncFile file, int times, int offset = 0)
    {
        byte[] read = new byte[1];
        for (int i = 0; i < times; i++)
        {
            Assert.Equal(1, await file.ReadAsync(read, offset));
            Assert.Equal((byte)offset, read[0]);
        }
    }

    [Fact]
    public void From_the_sixteenth_operation_on_a_file_goes_by_its_place()
        => Run(async loop =>
        {
            if (!HasPlaces)
                return;
            AsyncFile file = await AsyncFile.OpenAsync(NewFile(100), FileMode.Open, FileAccess.ReadWrite);
            await ReadTimes(file, Before, 5);
            Assert.Equal((0, 0, 0), (Watch.ByPlace, Watch.Tables, Watch.Placed));
            await ReadTimes(file, 5, 7);
            Assert.Equal((5, 1, 1), (Watch.ByPlace, Watch.Tables, Watch.Placed));
            byte[] buffer = new byte[10];
            await file.WriteAsync(buffer, 0);
            await file.WriteAsync(new ReadOnlyMemory<byte>[] { buffer, buffer }, 10);
            Assert.Equal(20, await file.ReadAsync(new Memory<byte>[] { buffer, new byte[10] }, 0));
            await file.FlushAsync();
            await file.AllocateAsync(0, 4096);
            Assert.Equal(10, Watch.ByPlace);
            await file.SetLengthAsync(50); // by a thread where the ring does not know it
            int byPlace = Watch.ByPlace;
            Assert.Equal(50, (await file.GetStatusAsync()).Size); // statx knows no places
            KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await file.AllocateAsync(0, 1, (FileAllocation)0x4000));
            Assert.Equal((file.FileDescriptor, Errno.EOPNOTSUPP), (failure.FileDescriptor, failure.Errno));
            Assert.Equal((byPlace + 1, 0), (Watch.ByPlace, Watch.Emptied));
            await file.CloseAsync();
            Assert.Equal((1, 1, 1), (Watch.Tables, Watch.Placed, Watch.Emptied));
        });

    [Fact]
    public void Files_with_few_operations_cost_no_calls()
        => Run(async loop =>
        {
            string path = NewFile(10);
            for (int i = 0; i < 20; i++)
            {
                await using AsyncFile file = await AsyncFile.OpenAsync(path);
                await ReadTimes(file, Before);
            }

            Assert.Equal((0, 0, 0, 0), (Watch.ByPlace, Watch.Tables, Watch.Placed, Watch.Emptied));
        });

    [Fact]
    public void Many_operations_in_flight_go_on_while_the_file_gets_its_place()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile(200));
            byte[] read = new byte[200];
            int[] counts = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => file.ReadAsync(read.AsMemory(i, 1), i).AsTask()));
            Assert.All(counts, count => Assert.Equal(1, count));
            Assert.Equal(Enumerable.Range(0, 200).Select(i => (byte)i), read);
            Assert.True(!HasPlaces || Watch.ByPlace == 200 - Before);
        });

    [Fact]
    public void More_files_than_places_go_by_number_and_take_places_that_become_free()
        => Run(async loop =>
        {
            if (!HasPlaces)
                return;
            InnerKernel.GetResourceLimit(ResourceLimit.OpenFiles, out ulong limit, out _);
            if (limit < RegisteredFiles.Places + 500)
                return;
            string path = NewFile(10);
            var files = new List<AsyncFile>();
            for (int i = 0; i < RegisteredFiles.Places + 2; i++)
            {
                AsyncFile file = await AsyncFile.OpenAsync(path);
                files.Add(file);
                await ReadTimes(file, Before + 1, i % 10);
            }

            Assert.Equal((RegisteredFiles.Places, RegisteredFiles.Places), (Watch.Placed, Watch.ByPlace));
            AsyncFile last = files[^1];
            await ReadTimes(last, Before, 3);
            await files[0].CloseAsync();
            await files[500].CloseAsync();
            Assert.Equal((RegisteredFiles.Places, 2), (Watch.ByPlace, Watch.Emptied));
            await ReadTimes(last, 2, 4); // its 32nd asks again
            Assert.Equal((RegisteredFiles.Places + 1, RegisteredFiles.Places + 2), (Watch.Placed, Watch.ByPlace));
            await ReadTimes(files[1], 1, 9); // and nobody has lost his
            foreach (AsyncFile file in files)
                await file.CloseAsync();
            Assert.Equal((1, Watch.Placed), (Watch.Tables, Watch.Emptied));
        });

    /// <summary>A FIFO ends for its reader when the last who writes has closed it, descriptor or not.</summary>
    private unsafe int NewFifo(out string path)
    {
        path = NewPath();
        fixed (byte* name = PathText.Encode(path, terminated: true))
        {
            Assert.Equal(0, InnerKernel.MakeFifo(name, 0x180));
            return Keep(InnerKernel.Open(name, FileFlags.ReadOnly | FileFlags.NonBlock | FileFlags.CloseOnExec, 0));
        }
    }

    private static async Task<AsyncFile> OpenAndWrite(string fifo, int times = 20)
    {
        AsyncFile file = await AsyncFile.OpenAsync(fifo, FileMode.Open, FileAccess.Write);
        for (int i = 0; i < times; i++)
            await file.WriteAsync(new byte[1], 0);
        return file;
    }

    [Fact]
    public void A_file_that_is_closed_is_open_nowhere_else()
        => Run(async loop =>
        {
            if (!HasPlaces)
                return;
            for (int round = 0; round < 20; round++)
            {
                int reader = NewFifo(out string path);
                AsyncFile file = await OpenAndWrite(path);
                Assert.Equal(20, Empty(reader));
                await file.CloseAsync();
                Assert.Equal(0, Read(reader, new byte[1]));
            }

            Assert.Equal((20, 20), (Watch.Placed, Watch.Emptied));
        });

    [Fact]
    public void Nor_is_one_that_is_closed_with_its_loop()
    {
        if (!HasPlaces)
            return;
        int reader = NewFifo(out string path);
        AsyncFile file = Run(async loop => await OpenAndWrite(path));
        Assert.Equal(20, ReadAll(reader));
        Assert.Equal((-1, 1), (file.FileDescriptor, Watch.Emptied));
        Assert.Empty(Watch.OpenNow);
    }

    // To the end, which is there.
    private int ReadAll(int fd)
    {
        int total = 0, count;
        while ((count = Read(fd, new byte[100])) > 0)
            total += count;
        Assert.Equal(0, count);
        return total;
    }

    [Fact]
    public void Its_locks_go_with_it()
        => Run(async loop =>
        {
            if (!OnLinux)
                return;
            string path = NewFile(100);
            for (int round = 0; round < 20; round++)
            {
                AsyncFile file = await AsyncFile.OpenAsync(path);
                AsyncFile other = await AsyncFile.OpenAsync(path);
                Assert.Equal(0, flock(file.FileDescriptor, LockExclusive | DoNotWait));
                // Some of it is done by threads of the kernel, which may be the last to let go.
                await Task.WhenAll(Enumerable.Range(0, 40).Select(i => i % 4 == 0 ? file.FlushAsync().AsTask() : file.ReadAsync(new byte[10], i).AsTask()));
                Assert.Equal(-1, flock(other.FileDescriptor, LockExclusive | DoNotWait));
                await file.CloseAsync();
                Assert.Equal(0, flock(other.FileDescriptor, LockExclusive | DoNotWait));
                await other.CloseAsync();
            }
        });

    private const int LockExclusive = 2, DoNotWait = 4;

    [LibraryImport("libc")]
    private static partial int flock(int fd, int operation);

    [Theory]
    [InlineData(Errno.EMFILE)]
    [InlineData(Errno.ENOMEM)]
    [InlineData(Errno.EINVAL)]
    public void Where_there_is_no_table_files_go_by_number(Errno errno)
        => Run(async loop =>
        {
            Watch.RefuseTables = errno;
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile(10));
            await ReadTimes(file, 100, 3);
            Assert.Equal((0, 0), (Watch.ByPlace, Watch.Placed));
            Assert.True(!HasPlaces || Watch.Tables == 1);
        });

    [Fact]
    public void A_place_that_is_refused_is_asked_for_again_later()
        => Run(async loop =>
        {
            if (!HasPlaces)
                return;
            Watch.RefusePlaces = 2;
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile(10));
            await ReadTimes(file, 47, 3);
            Assert.Equal((0, 2), (Watch.ByPlace, Watch.Placed));
            await ReadTimes(file, 1, 3);
            Assert.Equal((1, 3), (Watch.ByPlace, Watch.Placed));
        });

    [Fact]
    public void A_place_that_cannot_be_emptied_at_once_is_emptied_all_the_same()
        => Run(async loop =>
        {
            if (!HasPlaces)
                return;
            int reader = NewFifo(out string path);
            AsyncFile file = await OpenAndWrite(path);
            Watch.RefuseEmptying = 2;
            await file.CloseAsync();
            Assert.Equal(20, ReadAll(reader));
            Assert.Equal(3, Watch.Emptied);
        });

    [Fact]
    public void One_that_cannot_be_emptied_at_all_ends_with_the_loop()
    {
        if (!HasPlaces)
            return;
        int reader = NewFifo(out string path);
        Run(async loop =>
        {
            AsyncFile file = await OpenAndWrite(path);
            Watch.RefuseEmptying = int.MaxValue;
            await file.CloseAsync();
            Assert.Equal(20, Empty(reader));
            Assert.Equal(1, Watch.Placed);
            await using AsyncFile other = await AsyncFile.OpenAsync(NewFile(10));
            await ReadTimes(other, 20, 3); // in another place
            Assert.Equal(2, Watch.Placed);
        });
        Assert.Equal(0, ReadAll(reader));
        Assert.Equal(1, Watch.Unregistered);
    }
}

/// <summary>The same in the ring that is the loop's driver.</summary>
public class RegisteredFileOnUringDriverTests : RegisteredFileTests
{
    protected override DriverKind Driver => DriverKind.Auto;
}
