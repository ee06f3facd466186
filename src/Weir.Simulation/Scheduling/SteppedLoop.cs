namespace Weir.Simulation;

/// <summary>
/// A loop without a thread of its own: taken from wait to wait on the scheduler's thread. While it waits it stands in the wait queue of its
/// epoll instance as a thread in epoll_wait would, and is woken by the same rules.
/// </summary>
internal sealed class SteppedLoop
{
    private readonly World _world;
    private readonly SimThread _thread;
    private readonly Func<LoopStepper> _make;
    private readonly Action<Exception?> _ended;
    private readonly ThreadWait _wait;
    private LoopStepper? _stepper;
    private EpollFile? _parkedIn;

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
        long timeout;
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

        if (timeout != 0)
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

    // What epoll_wait does before it sleeps: whoever finds something ready does not.
    private void Park(long deadline)
    {
        var epoll = (EpollFile)_thread.Process.Descriptors.Find(_stepper!.WaitDescriptor)!;
        _thread.WaitIsOver = true;
        if (epoll.PollFor(_thread) != EpollEvents.None)
            return;
        if (_world.Faults.Interrupts(_thread, SystemCall.EpollPWait2))
            return;
        _thread.Call = SystemCall.EpollPWait2;
        _thread.CallDescriptor = _stepper.WaitDescriptor;
        _world.Log.Entered(_thread);
        _parkedIn = epoll;
        epoll.AddWaiter(_wait);
        _thread.BeginBlock(deadline);
    }

    // And after it was woken: one who finds nothing although there is time left sleeps again.
    private bool Unpark()
    {
        EpollFile epoll = _parkedIn!;
        _wait.Leave();
        if (!_thread.TimedOut && !_thread.HasSignal && epoll.PollFor(_thread) == EpollEvents.None)
        {
            epoll.AddWaiter(_wait);
            _thread.BeginBlock(_thread.LastDeadline);
            return false;
        }

        _parkedIn = null;
        _thread.Call = SystemCall.None;
        return true;
    }
}
