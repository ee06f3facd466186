namespace Weir.Simulation;

/// <summary>
/// A loop without a thread of its own: taken from wait to wait on the scheduler's thread. While it waits it stands where a thread in epoll_wait
/// on its epoll instance, or in io_uring_enter on its ring, would stand, and is woken by the same rules.
/// </summary>
internal sealed class SteppedLoop
{
    // A turn that makes no call takes this long, so that one who always has something to do lets time pass.
    private const long TurnWithoutCall = 100;

    private readonly World _world;
    private readonly SimThread _thread;
    private readonly Func<LoopStepper> _make;
    private readonly Action<Exception?> _ended;
    private readonly ThreadWait _wait;
    private LoopStepper? _stepper;
    private SimFile? _parkedIn;
    private WaitEntry? _ringWait;

    /// <param name="scheduler">Picks it.</param>
    /// <param name="process">The process it runs in.</param>
    /// <param name="name">Its name.</param>
    /// <param name="make">Makes the loop, in its first step: that opens its descriptors.</param>
    /// <param name="ended">Called in its last step, with what it failed with.</param>
    internal SteppedLoop(BatonScheduler scheduler, SimKernel process, string name, Func<LoopStepper> make, Action<Exception?> ended)
    {
        _world = process.World;
        _make = make;
        _ended = ended;
        _thread = scheduler.AddStepped(process, name, this);
        _wait = new ThreadWait(_thread) { IsExclusive = true };
    }

    /// <summary>Goes on to its next wait.</summary>
    internal void Step()
    {
        long timeout, before = _world.Log.Count;
        try
        {
            _stepper ??= _make();
            if (_parkedIn != null && !Unpark())
                return;
            if (!_stepper.Step(out timeout))
            {
                _stepper.Outcome().GetAwaiter().GetResult();
                End(null);
                return;
            }
        }
        catch (Exception exception) when (_thread.Process.HasExited && exception is not SimulationException)
        {
            End(null); // with its process
            return;
        }
        catch (Exception exception) when (exception is not (SimulationException or SimulationEndedException))
        {
            End(exception);
            return;
        }

        if (timeout == 0 && _world.Log.Count == before)
            _world.Clock.AdvanceTo(_world.Now + TurnWithoutCall);
        else if (timeout != 0)
            Park(timeout < 0 || timeout > World.Never - _world.Now ? World.Never : _world.Now + timeout);
    }

    /// <summary>The simulation has ended before the loop has: closes it down.</summary>
    internal void Abandon() => _stepper?.Dispose();

    private void End(Exception? failure)
    {
        _thread.WaitIsOver = false;
        _thread.End();
        _ended(failure);
    }

    // What the call does before it sleeps: whoever finds something ready does not.
    private void Park(long deadline)
    {
        SimFile file = _thread.Process.Descriptors.Find(_stepper!.WaitDescriptor)!;
        SystemCall call = file is RingFile ? SystemCall.IoUringEnter : SystemCall.EpollPWait2;
        _thread.WaitIsOver = true;
        if (HasSomething(file) || _world.Faults.Interrupts(_thread, call))
            return;
        _thread.Call = call;
        _thread.CallDescriptor = _stepper.WaitDescriptor;
        _world.Log.Entered(_thread);
        _parkedIn = file;
        Join(file);
        _thread.BeginBlock(deadline);
    }

    private bool HasSomething(SimFile file)
        => file is RingFile ring ? ring.HasSomething(_thread) : file.PollFor(_thread) != EpollEvents.None;

    private void Join(SimFile file)
    {
        if (file is RingFile ring)
            _ringWait = ring.Park(_thread);
        else
            ((EpollFile)file).AddWaiter(_wait);
    }

    private void Leave(SimFile file)
    {
        _wait.Leave();
        if (_ringWait != null)
            ((RingFile)file).Unpark(_ringWait);
        _ringWait = null;
    }

    // And after it was woken: one who finds nothing although there is time left sleeps again.
    private bool Unpark()
    {
        SimFile file = _parkedIn!;
        Leave(file);
        if (!_thread.TimedOut && !_thread.HasSignal && !HasSomething(file))
        {
            Join(file);
            _thread.BeginBlock(_thread.LastDeadline);
            return false;
        }

        _parkedIn = null;
        _thread.Call = SystemCall.None;
        return true;
    }
}
