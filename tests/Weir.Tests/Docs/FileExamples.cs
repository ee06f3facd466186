namespace Weir.Tests;

/// <summary>The examples of docs/files.md. Each runs as a test.</summary>
public sealed class FileExamples : IDisposable
{
    private readonly string path = Path.Combine(Path.GetTempPath(), $"weir-example-{Guid.NewGuid():N}");

    public void Dispose() => File.Delete(path);

    [Fact]
    public void Writing_and_reading_at_offsets()
    {
        string text = EventLoop.Run(async () =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(path, FileMode.CreateNew, FileAccess.ReadWrite);
            await file.WriteAsync("hello, "u8.ToArray(), offset: 0);
            await file.WriteAsync("file"u8.ToArray(), offset: 7); // offsets are the caller's: there is no position
            await file.FlushAsync(); // on the disk from here on

            byte[] buffer = new byte[100];
            int count = await file.ReadAsync(buffer, offset: 0); // fewer than asked for: the end
            return System.Text.Encoding.UTF8.GetString(buffer, 0, count);
        });

        Assert.Equal("hello, file", text);
    }

    [Fact]
    public void Reading_many_blocks_at_once()
    {
        const int Block = 4096, Depth = 32;
        File.WriteAllBytes(path, new byte[100 * Block]);
        long total = EventLoop.Run(async () =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(path);
            long size = (await file.GetStatusAsync()).Size, next = 0, read = 0;

            // Each of these reads one block after the other; what all of them start in a turn goes to the kernel in one call.
            await Task.WhenAll(Enumerable.Range(0, Depth).Select(async _ =>
            {
                byte[] buffer = new byte[Block];
                while (next < size)
                {
                    long offset = next;
                    next += Block; // no lock: they run on one thread
                    int count = await file.ReadAsync(buffer, offset);
                    read += count;
                }
            }));
            return read;
        });

        Assert.Equal(100 * Block, total);
    }

    [Fact]
    public void Direct_reads_need_aligned_memory()
    {
        File.WriteAllBytes(path, new byte[8192]);
        int count = EventLoop.Run(async () =>
        {
            try
            {
                var options = new AsyncFileOptions { Direct = true };
                await using AsyncFile file = await AsyncFile.OpenAsync(path, FileMode.Open, FileAccess.Read, options);
                Memory<byte> buffer = AsyncFile.AllocateAligned(8192);
                return await file.ReadAsync(buffer, offset: 0);
            }
            catch (KernelException exception) when (exception.Errno == Errno.EINVAL)
            {
                return -1; // this file system has no direct I/O
            }
        });

        Assert.True(count is 8192 or -1);
    }

    [Fact]
    public void What_a_file_is_read_by()
    {
        File.WriteAllBytes(path, [1]);
        string backend = EventLoop.Run(async () =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(path);
            LoopStatistics statistics = EventLoop.Current!.Statistics;
            return $"{statistics.FileBackend} {statistics.FileBackendReason}"; // "io_uring ", or "threads io_uring_setup: EPERM"
        });

        Assert.Matches("^(io_uring |threads .+)$", backend);
    }
}
