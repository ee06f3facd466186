namespace Weir.Bench.Parts;

/// <summary>An event loop on a thread of its own, alive until disposed.</summary>
internal sealed class LoopThread : IDisposable
{
    private readonly Thread _thread;

    public LoopThread(string name)
    {
        using var started = new ManualResetEventSlim();
        _thread = new Thread(() => EventLoop.Run(async () =>
        {
            Loop = EventLoop.Current!;
            started.Set();
            await Task.Delay(Timeout.Infinite, Loop.Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }, new LoopOptions { Name = name }))
        { IsBackground = true, Name = name };
        _thread.Start();
        started.Wait();
    }

    public EventLoop Loop { get; private set; } = null!;

    public void Dispose()
    {
        Loop.Stop();
        _thread.Join();
    }
}

internal static class EventLoopExtensions
{
    /// <summary>Spins until the loop has gone to sleep since the call: its thread must have nothing to do.</summary>
    public static void WaitUntilAsleep(this EventLoop loop)
    {
        SpinWait spin = default;
        while (!loop.IsAsleep)
            spin.SpinOnce(sleep1Threshold: -1);
    }
}
