namespace Weir.Tests;

/// <summary>The same where io_uring is forbidden.</summary>
public class AsyncFileOnThreadsTests : AsyncFileTests
{
    protected override string? ExpectedBackend => "threads";

    protected override LoopOptions Options(Action<LoopOptions>? configure = null)
    {
        Kernel.FailNext(nameof(Weir.Kernel.IoUringSetup), Errno.EPERM, 10);
        return base.Options(configure);
    }

    [Theory]
    [InlineData(Errno.ENOSYS)]
    [InlineData(Errno.EPERM)]
    [InlineData(Errno.ENOMEM)]
    [InlineData(Errno.EMFILE)]
    public void Whatever_the_refusal_files_are_read_and_the_reason_is_told(Errno errno)
    {
        var kernel = new CountingKernel(InnerKernel);
        kernel.FailNext(nameof(Weir.Kernel.IoUringSetup), errno, 10);
        LoopStatistics statistics = TestLoop.Run(async () =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile([1, 2, 3]));
            Assert.Equal(3, await file.ReadAsync(new byte[10], 0));
            return EventLoop.Current!.Statistics;
        }, new LoopOptions { Kernel = kernel, Driver = Driver });
        Assert.Equal("threads", statistics.FileBackend);
        Assert.Contains($"io_uring_setup: {errno}", statistics.FileBackendReason);
        Assert.Equal(1, kernel.Count(nameof(Weir.Kernel.IoUringSetup)));
    }

    [Fact]
    public void The_threads_end_with_the_loop()
    {
        Run(async loop =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(NewFile([1, 2, 3]));
            await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => file.ReadAsync(new byte[10], 0).AsTask()));
            Assert.InRange(Threads(), 1, 4);
        }, options => options.Name = "wf-threads");
        Assert.True(SpinWait.SpinUntil(() => Threads() == 0, TestLoop.Limit)); // joined; the system takes a moment longer to forget them

        static int Threads() => Directory.EnumerateDirectories("/proc/self/task").Count(task =>
        {
            try
            {
                return File.ReadAllText(Path.Combine(task, "comm")).StartsWith("wf-threads file", StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false; // it has ended meanwhile
            }
        });
    }
}
