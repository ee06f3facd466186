using System.Runtime.ExceptionServices;

namespace Weir.Simulation;

/// <summary>Unwinds the threads of a simulation that has ended early.</summary>
internal class SimulationEndedException(string message = "The simulation has ended.") : Exception(message);

/// <summary>
/// Deterministic modes: one simulated thread runs at a time, and whoever holds the baton decides by the strategy who gets it next. Stepped
/// loops run on the thread that called <see cref="Run"/>, the others each on a real thread of its own.
/// </summary>
internal sealed partial class BatonScheduler : Scheduler
{
    private readonly World _world;
    private readonly Baton _main = new();
    private SimThread? _running;
    private SimThread? _next; // for the main thread, when the baton comes to it
    private SimThread? _outside;
    private ExceptionDispatchInfo? _failure;
    private bool _ended;

    internal BatonScheduler(World world) => _world = world;

    internal override long Now => _world.Clock.Now;

    internal override bool HasEnded => _ended;

    // Threads

    /// <summary>A thread with a real one beneath: starts when the scheduler first picks it.</summary>
    internal SimThread StartThread(SimKernel process, string name, Action body)
    {
        SimThread thread = _world.AddThread(process, name);
        var runner = new Runner();
        thread.Runner = runner;
        thread.IsPreemptible = SimMarks.AreOn;
        Carrier.Run(() => RunThread(thread, runner, body));
        return thread;
    }

    /// <summary>A loop that is advanced on the scheduler's own thread.</summary>
    internal SimThread AddStepped(SimKernel process, string name, SteppedLoop loop)
    {
        SimThread thread = _world.AddThread(process, name);
        thread.Runner = loop;
        return thread;
    }

    private void RunThread(SimThread thread, Runner runner, Action body)
    {
        runner.Baton.Take();
        runner.Real = Thread.CurrentThread;
        SimThread.Current = thread;
        try
        {
            if (!_ended)
                body();
            // Others may go on before what it has stored last is visible to them.
            if (thread.Stores.Count > 0)
                Preempt(thread);
        }
        catch (SimulationEndedException)
        {
        }
        catch (Exception exception)
        {
            Fail(exception);
        }

        SimThread.Current = null;
        StoreBuffers.Drain(thread);
        thread.End();
        Progress();
        PassOn();
        runner.Unwound.Give();
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
            _ended |= _failure != null;
            UnwindThreads();
            _running = null;
        }

        _failure?.Throw();
    }

    private void RunUntilBatonReturns(SimThread thread)
    {
        while (!_ended)
        {
            _running = thread;
            if (thread.Runner is SteppedLoop loop)
            {
                SimThread.Current = thread;
                Progress();
                try
                {
                    loop.Step();
                }
                finally
                {
                    SimThread.Current = null;
                }

                return;
            }

            ((Runner)thread.Runner!).Baton.Give();
            TakeBack();
            if (_next == null)
                return;
            thread = _next;
            _next = null;
        }
    }

    // Threads that are still there are told one by one, so that what they do while they unwind does not overlap. Their finally blocks close
    // what they have opened: the kernel goes on serving calls that do not block.
    private void UnwindThreads()
    {
        SimThread? before = SimThread.Current;
        for (int i = 0; i < _world.Threads.Count; i++)
        {
            SimThread thread = _world.Threads[i];
            if (thread.State == ThreadState.Ended)
                continue;
            _running = thread;
            if (thread.Runner is Runner runner)
            {
                runner.Baton.Give();
                runner.Unwound.TryTake(TimeSpan.FromSeconds(2)); // one that never enters the kernel again is left to itself
                continue;
            }

            SimThread.Current = thread;
            try
            {
                ((SteppedLoop)thread.Runner!).Abandon();
            }
            catch (Exception)
            {
                // The failure that ended the simulation is the one to report.
            }
        }

        SimThread.Current = before;
    }

    /// <summary>Takes note of the failure that ends the simulation; the first one counts.</summary>
    internal void Fail(Exception exception)
    {
        _failure ??= ExceptionDispatchInfo.Capture(exception);
        _ended = true;
    }

    /// <summary>For findings made inside a call: whatever the program's own code does with the exception, the simulation is over.</summary>
    internal Exception Raise(Exception finding)
    {
        Fail(finding);
        return finding;
    }

    // Switching

    internal override SimThread? Enter(SimKernel process)
    {
        if (_running == null)
            return EnterFromOutside(process);
        if (SimThread.Current is not { } thread || thread != _running)
        {
            _world.Detectors.Escaped(process);
            return null;
        }

        if (_world.Detectors.HasEscape && !_ended)
            throw Raise(_world.Detectors.MakeEscape());
        if (_ended)
            CountUnwinding(thread);
        else
            Preempt(thread);
        Progress();
        StoreBuffers.Drain(thread); // the kernel takes locks
        return thread;
    }

    // One that has been told and calls on and on is told again.
    private static void CountUnwinding(SimThread thread)
    {
        const int MostCalls = 100_000;
        if (++thread.CallsWhileUnwinding > MostCalls)
            throw new SimulationEndedException();
    }

    internal override void Leave(SimThread thread)
    {
        if (thread == _outside)
            SimThread.Current = null;
    }

    /// <summary>A point where another thread may go on instead. A stepped thread is not interrupted.</summary>
    internal void Preempt(SimThread thread)
    {
        if (thread.Runner is Runner runner && !_ended)
            Switch(thread, runner);
    }

    /// <summary>The thread can do nothing until another has changed something: it goes on when one has.</summary>
    internal void LetOthersRun(SimThread thread)
    {
        if (_ended)
        {
            CountUnwinding(thread);
            return;
        }

        if (thread.Runner is not Runner runner)
            return;
        thread.IsSpinning = _hasSpinners = true;
        Switch(thread, runner);
    }

    // Before the threads run, and after they have: whoever set the simulation up makes calls as a thread that is alone in the world.
    private SimThread EnterFromOutside(SimKernel process)
    {
        if (_outside?.Process != process)
            _outside = new SimThread(_world, process, -1, "outside");
        SimThread.Current = _outside;
        return _outside;
    }

    private void BlockOutside(SimThread thread)
    {
        while (thread.State == ThreadState.Blocked)
        {
            long next = _world.Clock.NextTime;
            if (next == World.Never)
                throw new InvalidOperationException($"{thread.Call.ManName()}(fd {thread.CallDescriptor}) would block for ever: nothing runs beside it.");
            _world.Clock.AdvanceTo(next);
            _world.Clock.FireDue();
        }
    }

    internal override void Block(SimThread thread)
    {
        if (thread == _outside)
        {
            BlockOutside(thread);
            return;
        }

        if (_ended)
            throw new SimulationEndedException();
        if (thread.Runner is not Runner runner)
            throw Raise(_world.WouldBlock(thread));
        Progress(); // somebody may wait for just that
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
        runner.Baton.Take();
        _running = thread;
        if (_ended)
            throw new SimulationEndedException();
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
            runner.Baton.Give();
        }
        else
        {
            _next = next; // a stepped one, or nobody: the main thread's matter
            _main.Give();
        }
    }

    /// <summary>How a thread with a real one beneath is run.</summary>
    private sealed class Runner
    {
        internal Baton Baton { get; } = new();

        /// <summary>The real thread, once it runs.</summary>
        internal Thread? Real { get; set; }

        /// <summary>Given when its body has returned, for those who wait for it in the end.</summary>
        internal Baton Unwound { get; } = new();
    }
}
