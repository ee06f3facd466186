#pragma warning disable CA1416 // Rights that Windows does not have; Weir is for Linux.

namespace Weir.Tests;

/// <summary>What a file on a loop does, whoever makes its calls. This class: a ring inside an epoll loop, where it is to be had.</summary>
public class AsyncFileTests : FileTests
{
    protected virtual string? ExpectedBackend => IoUring.WhyNot == null || !OnLinux ? "io_uring" : "threads";

    private protected LedgerKernel Ledger { get; private set; } = null!;

    protected override CountingKernel MakeKernel() => Ledger = new LedgerKernel(InnerKernel);

    /// <summary>What is in a file, past all that is tested here.</summary>
    private byte[] ContentOf(string path)
    {
        int fd = OpenNow(path, FileFlags.ReadOnly);
        var content = new List<byte>();
        byte[] block = new byte[65536];
        for (int count; (count = Read(fd, block)) > 0;)
            content.AddRange(block.AsSpan(0, count));
        InnerKernel.Close(fd);
        return [.. content];
    }

    private static byte[] Bytes(int count, int seed = 1)
    {
        byte[] bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public void The_statistics_say_who_makes_the_calls()
        => Run(async loop =>
        {
            Assert.Equal("none", loop.Statistics.FileBackend);
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile([1]));
            Assert.Equal(ExpectedBackend, loop.Statistics.FileBackend);
            Assert.Equal(ExpectedBackend == "io_uring", loop.Statistics.FileBackendReason == null);
        });

    [Fact]
    public void What_is_written_is_read_at_its_offset()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewPath(), FileMode.CreateNew, FileAccess.ReadWrite);
            byte[] data = Bytes(10_000), read = new byte[10_000];
            await file.WriteAsync(data, 123);
            Assert.True(loop.IsCurrent);
            Assert.Equal(10_000, await file.ReadAsync(read, 123));
            Assert.True(loop.IsCurrent);
            Assert.Equal(data, read);
            Assert.Equal(10_123, (await file.GetStatusAsync()).Size);
            Assert.Equal(50, await file.ReadAsync(read.AsMemory(0, 50), 100)); // the gap reads as zeros
            Assert.Equal(new byte[23], read[..23]);
            Assert.Equal(data[..27], read[23..50]);
        });

    [Fact]
    public void A_read_across_the_end_is_short_and_one_beyond_it_is_empty()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile(Bytes(100)));
            byte[] read = new byte[64];
            Assert.Equal(36, await file.ReadAsync(read, 64));
            Assert.Equal(0, await file.ReadAsync(read, 100));
            Assert.Equal(0, await file.ReadAsync(read, 1L << 40));
            Assert.Equal(0, await file.ReadAsync(Memory<byte>.Empty, 0));
        });

    [Fact]
    public void Many_operations_are_in_flight_at_once()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewPath(), FileMode.CreateNew, FileAccess.ReadWrite);
            byte[] data = Bytes(600 * 512);
            await Task.WhenAll(Enumerable.Range(0, 600).Select(i => file.WriteAsync(data.AsMemory(i * 512, 512), i * 512L).AsTask()));
            byte[] read = new byte[data.Length];
            int[] counts = await Task.WhenAll(Enumerable.Range(0, 600).Select(i => file.ReadAsync(read.AsMemory(i * 512, 512), i * 512L).AsTask()));
            Assert.All(counts, count => Assert.Equal(512, count));
            Assert.Equal(data, read);
        });

    [Fact]
    public void Several_buffers_are_filled_and_emptied_by_one_operation()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewPath(), FileMode.CreateNew, FileAccess.ReadWrite);
            byte[] data = Bytes(1000);
            await file.WriteAsync(new ReadOnlyMemory<byte>[] { data.AsMemory(0, 1), default, data.AsMemory(1, 600), data.AsMemory(601) }, 7);
            byte[] left = new byte[300], right = new byte[900];
            Assert.Equal(1000, await file.ReadAsync(new Memory<byte>[] { left, Memory<byte>.Empty, right }, 7));
            Assert.Equal(data, left.Concat(right[..700]));
            Assert.Equal(0, await file.ReadAsync([], 0));
        });

    [Fact]
    public void Too_many_buffers_and_bad_offsets_are_refused()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile([1]));
            Assert.Throws<ArgumentException>(() => { _ = file.ReadAsync(new Memory<byte>[1025], 0); });
            Assert.Throws<ArgumentException>(() => { _ = file.WriteAsync(new ReadOnlyMemory<byte>[1025], 0); });
            Assert.Equal(0, await file.ReadAsync(new Memory<byte>[1024], 0));
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = file.ReadAsync(new byte[1], -1); });
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = file.WriteAsync(new byte[1], -1); });
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = file.AllocateAsync(0, 0); });
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = file.SetLengthAsync(-1); });
            Assert.Throws<ArgumentException>(() => { _ = AsyncFile.OpenAsync("a\0b"); });
            Assert.Throws<ArgumentException>(() => { _ = AsyncFile.OpenAsync("x", FileMode.Append, FileAccess.Write); });
            Assert.Throws<ArgumentException>(() => { _ = AsyncFile.OpenAsync("x", FileMode.Create, FileAccess.Read); });
            Assert.Throws<ArgumentOutOfRangeException>(() => AsyncFile.AllocateAligned(1, 3));
        });

    [Fact]
    public void A_list_that_throws_fails_its_own_operation_only()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile([1, 2, 3]));
            await Assert.ThrowsAsync<NotImplementedException>(async () => await file.ReadAsync(new ThrowingList(), 0));
            Assert.Equal(3, await file.ReadAsync(new byte[3], 0));
        });

    private sealed class ThrowingList : IReadOnlyList<Memory<byte>>
    {
        public Memory<byte> this[int index] => index == 0 ? new byte[1] : throw new NotImplementedException();

        public int Count => 2;

        public IEnumerator<Memory<byte>> GetEnumerator() => throw new NotImplementedException();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    [Fact]
    public void Failures_name_the_call_and_the_path_or_the_descriptor()
        => Run(async loop =>
        {
            string path = NewPath();
            KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await AsyncFile.OpenAsync(path));
            Assert.Equal(($"open({path})", -1, Errno.ENOENT), (failure.Call, failure.FileDescriptor, failure.Errno));
            failure = await Assert.ThrowsAsync<KernelException>(async () => await AsyncFile.StatAsync(path));
            Assert.Equal(($"statx({path})", -1, Errno.ENOENT), (failure.Call, failure.FileDescriptor, failure.Errno));
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile([1]));
            failure = await Assert.ThrowsAsync<KernelException>(async () => await file.WriteAsync(new byte[1], 0));
            Assert.Equal(("pwrite", file.FileDescriptor, Errno.EBADF), (failure.Call, failure.FileDescriptor, failure.Errno));
            failure = await Assert.ThrowsAsync<KernelException>(async () => await file.SetLengthAsync(1));
            Assert.Equal(("ftruncate", Errno.EINVAL), (failure.Call, failure.Errno));
            failure = await Assert.ThrowsAsync<KernelException>(async () => await file.AllocateAsync(0, 1));
            Assert.Equal(("fallocate", Errno.EBADF), (failure.Call, failure.Errno));
            failure = await Assert.ThrowsAsync<KernelException>(async () => await AsyncFile.OpenAsync("/tmp", access: FileAccess.ReadWrite));
            Assert.Equal(Errno.EISDIR, failure.Errno);
            failure = await Assert.ThrowsAsync<KernelException>(async () => await AsyncFile.OpenAsync(file.Path, FileMode.CreateNew, FileAccess.Write));
            Assert.Equal(Errno.EEXIST, failure.Errno);
        });

    [Fact]
    public void Modes_of_opening_do_what_they_say()
        => Run(async loop =>
        {
            string path = NewFile([1, 2, 3]);
            await using (AsyncFile kept = await AsyncFile.OpenAsync(path, FileMode.OpenOrCreate, FileAccess.ReadWrite))
                Assert.Equal(3, (await kept.GetStatusAsync()).Size);
            await using (AsyncFile cut = await AsyncFile.OpenAsync(path, FileMode.Truncate, FileAccess.Write))
                Assert.Equal(0, (await cut.GetStatusAsync()).Size);
            string other = NewPath();
            var options = new AsyncFileOptions { CreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
            await using AsyncFile made = await AsyncFile.OpenAsync(other, FileMode.Create, FileAccess.Write, options);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, (await made.GetStatusAsync()).Mode);
            Assert.Equal(1, InnerKernel.Fcntl(made.FileDescriptor, FcntlCommand.GetDescriptorFlags, 0)); // close-on-exec
        });

    [Fact]
    public void Lengths_are_set_space_is_allocated_and_data_flushed()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewPath(), FileMode.CreateNew, FileAccess.ReadWrite);
            await file.SetLengthAsync(10_000);
            Assert.Equal(10_000, (await file.GetStatusAsync()).Size);
            await file.SetLengthAsync(5_000);
            Assert.Equal(5_000, (await file.GetStatusAsync()).Size);
            await file.AllocateAsync(0, 100_000, FileAllocation.KeepSize);
            FileStatus status = await file.GetStatusAsync();
            Assert.Equal(5_000, status.Size);
            Assert.InRange(status.AllocatedSize, 100_000, long.MaxValue);
            await file.WriteAsync(Bytes(100), 0);
            await file.FlushAsync();
            await file.FlushAsync(dataOnly: true);
        });

    [Fact]
    public void The_status_is_what_the_framework_sees()
        => Run(async loop =>
        {
            if (!OnLinux)
                return;
            string path = NewFile(Bytes(777));
            var info = new FileInfo(path);
            FileStatus status = await AsyncFile.StatAsync(path);
            Assert.Equal((777, true, false, 1u), (status.Size, status.IsRegularFile, status.IsDirectory, status.Links));
            Assert.Equal(File.GetUnixFileMode(path), status.Mode);
            Assert.Equal(info.LastWriteTimeUtc, status.ModifyTime.UtcDateTime);
            Assert.Equal(info.LastAccessTimeUtc, status.AccessTime.UtcDateTime);
            Assert.True((await AsyncFile.StatAsync("/tmp")).IsDirectory);
            string link = NewPath();
            File.CreateSymbolicLink(link, path);
            Assert.Equal(777, (await AsyncFile.StatAsync(link)).Size);
            Assert.Equal(0xA000, (await AsyncFile.StatAsync(link, followLinks: false)).FileType);
            KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await AsyncFile.OpenAsync(link, options: new AsyncFileOptions { NoFollow = true }));
            Assert.Equal(Errno.ELOOP, failure.Errno);
        });

    [Fact]
    public void Direct_reads_and_writes_go_with_aligned_memory()
        => Run(async loop =>
        {
            string path = NewFile(Bytes(16 * 4096));
            AsyncFile file;
            try
            {
                file = await AsyncFile.OpenAsync(path, FileMode.Open, FileAccess.ReadWrite, new AsyncFileOptions { Direct = true });
            }
            catch (KernelException refused) when (refused.Errno == Errno.EINVAL)
            {
                Assert.Contains("direct I/O", refused.Message); // tmpfs before 6.6
                return;
            }

            await using (file)
            {
                Memory<byte> memory = AsyncFile.AllocateAligned(8192);
                Assert.Equal(8192, await file.ReadAsync(memory, 4096));
                Assert.True(memory.Span.SequenceEqual(ContentOf(path).AsSpan(4096, 8192)));
                memory.Span.Fill(7);
                await file.WriteAsync(memory, 0);
                Assert.All(ContentOf(path)[..8192], b => Assert.Equal(7, b));
                if (!OnLinux)
                    return; // where nothing has to be aligned
                KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await file.ReadAsync(memory[..100], 1));
                Assert.Equal(("pread(O_DIRECT)", Errno.EINVAL), (failure.Call, failure.Errno));
                Assert.Contains("multiples", failure.Message);
            }
        });

    [Fact]
    public void A_token_that_is_cancelled_already_starts_nothing()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewPath(), FileMode.CreateNew, FileAccess.ReadWrite);
            var cancelled = new CancellationToken(true);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.WriteAsync(new byte[10], 0, cancelled));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.ReadAsync(new byte[10], 0, cancelled));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.FlushAsync(cancellationToken: cancelled));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await AsyncFile.OpenAsync(file.Path, cancellationToken: cancelled));
            Assert.Equal(0, (await file.GetStatusAsync()).Size);
        });

    [Fact]
    public void Cancelling_never_loses_what_was_done()
        => Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile(Bytes(4096 * 64)));
            byte[] expected = ContentOf(file.Path);
            int done = 0, cancelled = 0;
            for (int round = 0; round < 20; round++)
            {
                using var source = new CancellationTokenSource();
                byte[] read = new byte[expected.Length];
                Task<int>[] reads = [.. Enumerable.Range(0, 64).Select(i => file.ReadAsync(read.AsMemory(i * 4096, 4096), i * 4096, source.Token).AsTask())];
                if (round % 2 == 0)
                    await EventLoop.Yield();
                source.Cancel();
                for (int i = 0; i < 64; i++)
                {
                    try
                    {
                        Assert.Equal(4096, await reads[i]);
                        Assert.True(read.AsSpan(i * 4096, 4096).SequenceEqual(expected.AsSpan(i * 4096, 4096)));
                        done++;
                    }
                    catch (OperationCanceledException exception)
                    {
                        Assert.Equal(source.Token, exception.CancellationToken);
                        cancelled++;
                    }
                }
            }

            Assert.Equal(20 * 64, done + cancelled);
            Assert.Equal(4096, await file.ReadAsync(new byte[4096], 0)); // and it goes on
        });

    [Fact]
    public void Closing_lets_what_is_in_flight_finish_and_refuses_what_comes_later()
        => Run(async loop =>
        {
            AsyncFile file = await AsyncFile.OpenAsync(NewPath(), FileMode.CreateNew, FileAccess.ReadWrite);
            byte[] data = Bytes(100_000);
            ValueTask write = file.WriteAsync(data, 0);
            ValueTask closing = file.CloseAsync();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await file.ReadAsync(new byte[1], 0));
            await write;
            await closing;
            Assert.Equal(-1, file.FileDescriptor);
            Assert.Equal(data, ContentOf(file.Path));
            await file.CloseAsync();
            await file.DisposeAsync();
            file.Dispose();
        });

    [ThreadedFact]
    public void Other_threads_read_and_write_as_well()
        => Run(async loop =>
        {
            string path = NewPath();
            await OnThread(() => Work().GetAwaiter().GetResult());

            async Task Work()
            {
                await using AsyncFile file = await AsyncFile.OpenAsync(path, FileMode.CreateNew, FileAccess.ReadWrite, new AsyncFileOptions { Loop = loop });
                byte[] data = Bytes(64 * 1000);
                await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () =>
                {
                    await file.WriteAsync(data.AsMemory(i * 1000, 1000), i * 1000);
                    byte[] read = new byte[1000];
                    Assert.Equal(1000, await file.ReadAsync(read, i * 1000));
                    Assert.False(loop.IsCurrent);
                    Assert.Equal(data[(i * 1000)..((i + 1) * 1000)], read);
                })));
                Assert.Equal(data.Length, (await file.GetStatusAsync()).Size);
                using var source = new CancellationTokenSource();
                ValueTask<int> cancelled = file.ReadAsync(new byte[1000], 0, source.Token);
                source.Cancel();
                try
                {
                    Assert.Equal(1000, await cancelled);
                }
                catch (OperationCanceledException)
                {
                }
            }
        });

    [Fact]
    public void Outside_loops_one_must_be_named()
        => Assert.Throws<InvalidOperationException>(() => { _ = AsyncFile.OpenAsync("x"); });

    [Fact]
    public void A_file_that_is_left_open_is_closed_with_the_loop()
    {
        AsyncFile file = Run(async loop => await AsyncFile.OpenAsync(NewFile([1])));
        Assert.Equal(-1, file.FileDescriptor);
        AssertNothingIsLeft(file);
        Assert.True(file.CloseAsync().IsCompletedSuccessfully);
        TestLoop.Within(Assert.ThrowsAsync<ObjectDisposedException>(async () => await file.ReadAsync(new byte[1], 0)));
    }

    [Fact]
    public void What_is_in_flight_when_the_loop_ends_is_ended()
    {
        var reads = new List<Task<int>>();
        string path = NewFile(Bytes(1 << 20));
        AsyncFile? file = null;
        Task<AsyncFile>? opening = null;
        Run(async loop =>
        {
            file = await AsyncFile.OpenAsync(path);
            for (int i = 0; i < 100; i++)
                reads.Add(file.ReadAsync(new byte[4096], i * 4096).AsTask());
            opening = AsyncFile.OpenAsync(path).AsTask();
        });
#pragma warning disable xUnit1031 // It has completed.
        foreach (Task<int> read in reads)
            Assert.True(read.IsCompletedSuccessfully ? read.Result == 4096 : read.Exception!.InnerException is ObjectDisposedException, $"{read.Exception}");
#pragma warning restore xUnit1031
        Assert.True(opening!.IsCompleted);
        AssertNothingIsLeft(file!);
    }

    // A ring opens files past the door, so the books know only of what closes them: by number, and not twice.
    private protected void AssertNothingIsLeft(AsyncFile file)
    {
        Assert.Empty(Ledger.OpenNow);
        Assert.DoesNotContain(Ledger.Faults, fault => !fault.EndsWith("result 0", StringComparison.Ordinal));
        if (OnLinux)
            Assert.DoesNotContain(Directory.EnumerateFiles("/proc/self/fd"), fd => new FileInfo(fd).LinkTarget == file.Path);
    }
}

/// <summary>The same in the ring that is the loop's driver.</summary>
public class AsyncFileOnUringDriverTests : AsyncFileTests
{
    protected override DriverKind Driver => DriverKind.Auto;
}
