using System.Diagnostics;

namespace Weir.Simulation;

/// <summary>
/// Live mode: whoever calls is a thread, one lock is the kernel's, time is the machine's own. For what needs the thread pool (SslStream,
/// HttpClient) and for tests written for real threads.
/// </summary>
internal sealed class LiveScheduler(World world) : Scheduler
{
    private readonly object _kernel = new();
    private readonly long _offset = SimClock.Start - Stopwatch.GetTimestamp();
    private Thread? _clockThread;

    internal override long Now => Stopwatch.GetTimestamp() + _offset;

    internal override SimThread Enter(SimKernel process)
    {
        Monitor.Enter(_kernel);
        AdvanceClock();
        if (SimThread.Current is { } known && known.World == world && known.Process == process)
            return known;
        // Some real thread that calls for the first time, or calls another process than before.
        return SimThread.Current = process.AdoptThread(Thread.CurrentThread);
    }

    internal override void Leave(SimThread thread)
    {
        // Something may be due now that was not when the clock thread fell asleep.
        if (world.Clock.NextTime != World.Never)
            WakeClockThread();
        Monitor.Exit(_kernel);
    }

    internal override void Block(SimThread thread)
    {
        if (world.Clock.NextTime != World.Never)
            WakeClockThread();
        var runner = (LiveRunner)(thread.Runner ??= new LiveRunner());
        while (thread.State == ThreadState.Blocked)
        {
            long left = thread.Deadline == World.Never ? World.Never : thread.Deadline - Now;
            if (left <= 0)
            {
                thread.OnTimeout();
                break;
            }

            Monitor.Exit(_kernel);
            try
            {
                runner.Wait(left);
            }
            finally
            {
                Monitor.Enter(_kernel);
                AdvanceClock();
            }
        }
    }

    internal override void OnWoken(SimThread thread) => ((LiveRunner?)thread.Runner)?.Wake();

    private void AdvanceClock()
    {
        world.Clock.AdvanceTo(Now);
        world.Clock.FireDue();
    }

    private void WakeClockThread()
    {
        if (_clockThread == null)
        {
            _clockThread = new Thread(RunClock) { IsBackground = true, Name = "simulated clock" };
            _clockThread.Start();
        }

        Monitor.PulseAll(_kernel);
    }

    // Fires timers while everybody sleeps; ends when there are none, so that nothing is left of a simulation that nobody uses any more.
    private void RunClock()
    {
        lock (_kernel)
        {
            AdvanceClock();
            while (world.Clock.NextTime is long next and not World.Never)
            {
                Monitor.Wait(_kernel, (int)Math.Clamp((next - Now + 999_999) / 1_000_000, 0, int.MaxValue));
                AdvanceClock();
            }

            _clockThread = null;
        }
    }

    private sealed class LiveRunner
    {
        private readonly SemaphoreSlim _wakes = new(0);

        internal void Wake() => _wakes.Release();

        internal void Wait(long nanoseconds)
        {
            if (nanoseconds == World.Never)
                _wakes.Wait();
            else
                _wakes.Wait((int)Math.Min((nanoseconds + 999_999) / 1_000_000, int.MaxValue));
        }
    }
}
