using System.Runtime.ExceptionServices;

namespace Weir.Simulation;

/// <summary>Unwinds the threads of a simulation that has ended early.</summary>
internal sealed class SimulationEndedException() : Exception("The simulation has ended.");

/// <summary>
/// Deterministic modes: one simulated thread runs at a time, and whoever holds the baton decides by the strategy who gets it next. Stepped
/// loops run on the thread that called <see cref="Run"/>, the others each on a real thread of its own.
/// </summary>
internal sealed class BatonScheduler : Scheduler
{
    private readonly World _world;
    private readonly List<SimThread> _runnable = [];
    private readonly Runner _main = new();
    private SimThread? _running;
    private SimThread? _next; // for the main thread, when the baton comes to it
    private ExceptionDispatchInfo? _failure;
    private bool _ended;

    internal BatonScheduler(World world) => _world = world;

    /// <summary>Called when nobody can run, no time is left to pass, and threads are blocked.</summary>
    internal Func<Exception?> OnStuck { get; set; } = () => null;

    internal override long Now => _world.Clock.Now;

    internal override bool IsHeldByCaller => SimThread.Current == _running;

    /// <summary>Threads that can go on, for the strategy: kept in the order of their creation but for the running one.</summary>
    internal SimThread? Running => _running;

    // Threads

    /// <summary>A thread with a real one beneath: starts when the scheduler first picks it.</summary>
    internal SimThread StartThread(SimKernel process, string name, Action body)
    {
        SimThread thread = _world.AddThread(process, name);
        var runner = new Runner();
        thread.Runner = runner;
        runner.Thread = new Thread(() => RunThread(thread, runner, body)) { IsBackground = true, Name = name };
        runner.Thread.Start();
        return thread;
    }

    /// <summary>A thread that is advanced by calls of <paramref name="step"/> on the scheduler's own thread.</summary>
    internal SimThread AddStepped(SimKernel process, string name, Action step)
    {
        SimThread thread = _world.AddThread(process, name);
        thread.Runner = step;
        return thread;
    }

    private void RunThread(SimThread thread, Runner runner, Action body)
    {
        runner.Wait();
        SimThread.Current = thread;
        try
        {
            if (!_ended && !thread.IsKilled)
                body();
        }
        catch (SimulationEndedException)
        {
        }
        catch (Exception exception)
        {
            if (!thread.IsKilled)
                Fail(exception);
        }

        thread.End();
        if (thread.IsKilled && thread != _running)
            return; // whoever killed it has the baton
        if (_ended)
            _main.Go();
        else
            PassOn();
    }

    // The main thread

    /// <summary>Runs all threads until they have ended; throws what the first failure was.</summary>
    internal void Run()
    {
        try
        {
            while (!_ended && PickNext(null) is { } thread)
                RunUntilBatonReturns(thread);
        }
        catch (Exception exception) when (exception is not SimulationEndedException)
        {
            Fail(exception);
        }
        finally
        {
            _ended = true;
            _running = null;
            UnwindThreads();
        }

        _failure?.Throw();
    }

    private void RunUntilBatonReturns(SimThread thread)
    {
        while (!_ended)
        {
            _running = thread;
            if (thread.Runner is Action step)
            {
                SimThread.Current = thread;
                try
                {
                    step();
                }
                catch (SimulationEndedException) when (thread.IsKilled)
                {
                    thread.End();
                }
                finally
                {
                    SimThread.Current = null;
                }

                return;
            }

            ((Runner)thread.Runner!).Go();
            _main.Wait();
            if (_next == null)
                return;
            thread = _next;
            _next = null;
        }
    }

    // Threads that are still there are told one by one, so that what they do while they unwind does not overlap.
    private void UnwindThreads()
    {
        foreach (SimThread thread in _world.Threads)
        {
            if (thread.State == ThreadState.Ended || thread.Runner is not Runner runner)
                continue;
            runner.Go();
            runner.Thread!.Join(TimeSpan.FromSeconds(2)); // one that never enters the kernel again is left to itself
        }
    }

    /// <summary>Takes note of the failure that ends the simulation; the first one counts.</summary>
    internal void Fail(Exception exception)
    {
        _failure ??= ExceptionDispatchInfo.Capture(exception);
        _ended = true;
    }

    /// <summary>
    /// Ends a thread whose machine has crashed: it is unwound before this returns, or, if it is the one that calls, from its next call on.
    /// </summary>
    internal void Kill(SimThread thread)
    {
        if (thread.State == ThreadState.Ended)
            return;
        thread.IsKilled = true;
        if (thread == _running)
            return;
        if (thread.Runner is Runner runner)
        {
            runner.Go();
            runner.Thread!.Join(TimeSpan.FromSeconds(2)); // as in UnwindThreads
        }

        thread.End();
    }

    // Switching

    internal override SimThread Enter(SimKernel process)
    {
        if (SimThread.Current is { IsKilled: true })
            throw new SimulationEndedException();
        if (SimThread.Current is not { } thread || thread != _running)
            throw _world.Escaped(process);
        if (_ended)
            throw new SimulationEndedException();
        Preempt(thread);
        return thread;
    }

    internal override void Leave(SimThread thread)
    {
    }

    /// <summary>A point where another thread may go on instead. A stepped thread is not interrupted.</summary>
    internal void Preempt(SimThread thread)
    {
        if (thread.Runner is Runner runner)
            Switch(thread, runner);
    }

    internal override void Block(SimThread thread)
    {
        if (thread.Runner is not Runner runner)
            throw _world.WouldBlock(thread);
        while (thread.State == ThreadState.Blocked)
            Switch(thread, runner);
    }

    internal override void OnWoken(SimThread thread)
    {
    }

    private void Switch(SimThread thread, Runner runner)
    {
        SimThread? next;
        try
        {
            next = PickNext(thread);
        }
        catch (Exception exception) when (exception is not SimulationEndedException)
        {
            Fail(exception);
            next = null;
        }

        if (next == thread)
            return;
        HandOver(next);
        runner.Wait();
        if (_ended || thread.IsKilled)
            throw new SimulationEndedException();
        _running = thread;
    }

    // The thread has ended: somebody else goes on.
    private void PassOn()
    {
        SimThread? next = null;
        try
        {
            next = PickNext(null);
        }
        catch (Exception exception) when (exception is not SimulationEndedException)
        {
            Fail(exception);
        }

        HandOver(next);
    }

    private void HandOver(SimThread? next)
    {
        if (next?.Runner is Runner runner)
        {
            _running = next;
            runner.Go();
        }
        else
        {
            _next = next; // a stepped one, or nobody: the main thread's matter
            _main.Go();
        }
    }

    /// <summary>Who goes on. Null: all have ended, or none ever will go on.</summary>
    private SimThread? PickNext(SimThread? running)
    {
        while (!_ended)
        {
            _world.Clock.FireDue();
            Collect(running);
            if (_runnable.Count > 0)
            {
                bool preempts = running is { State: ThreadState.Runnable };
                return _runnable[_world.Choices.Thread(_runnable, preempts)];
            }

            long next = _world.Clock.NextTime;
            if (next != World.Never && _world.Threads.Any(thread => thread.State == ThreadState.Blocked))
            {
                _world.Clock.AdvanceTo(next);
                continue;
            }

            if (_world.Threads.All(thread => thread.State == ThreadState.Ended))
                return null;
            throw OnStuck() ?? new InvalidOperationException("Nobody can run and nothing will happen.");
        }

        return null;
    }

    // The running one first, then in turn from the one after it.
    private void Collect(SimThread? running)
    {
        _runnable.Clear();
        IReadOnlyList<SimThread> threads = _world.Threads;
        int start = (running ?? _running)?.Id ?? -1;
        if (running is { State: ThreadState.Runnable })
            _runnable.Add(running);
        for (int i = 1; i <= threads.Count; i++)
        {
            SimThread thread = threads[(start + i) % threads.Count];
            if (thread.State == ThreadState.Runnable && thread != running)
                _runnable.Add(thread);
        }
    }

    /// <summary>A place to wait for the baton. Spins first: the one who has it mostly gives it back within a microsecond.</summary>
    private sealed class Runner
    {
        private readonly SemaphoreSlim _baton = new(0);

        internal Thread? Thread;

        internal void Go() => _baton.Release();

        internal void Wait()
        {
            // SemaphoreSlim spins before it blocks.
            _baton.Wait();
        }
    }
}
