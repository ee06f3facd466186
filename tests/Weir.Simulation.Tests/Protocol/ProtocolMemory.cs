namespace Weir.Simulation.Tests;

/// <summary>
/// The shared memory of the runs, and the judge of the wake-ups: a sleep that two wakers promise to end is one promise too many. The mutants
/// break one rule at one site, as a mistake in the code there would.
/// </summary>
internal class ProtocolMemory(World world) : StoreBuffers(world)
{
    private long _promises; // since the loop last published that it sleeps

    internal override long CompareExchange(SimThread thread, Mark site, MarkedCell cell, long value, long comparand)
    {
        long before = base.CompareExchange(thread, site, cell, value, comparand);
        if (before == comparand)
            Judge(site);
        return before;
    }

    protected void Judge(Mark site)
    {
        if (site == Mark.TrySleep)
            _promises = 0;
        else if (site == Mark.WakePromise && ++_promises > 1)
            throw ((BatonScheduler)World.Scheduler).Raise(new SimulationException(FindingKind.Failure, "Two wakers have promised to end one sleep."));
    }
}

/// <summary>The fence between the entry and the look at the phase is not there.</summary>
internal sealed class DroppedFence(World world) : ProtocolMemory(world)
{
    internal override void Fence(SimThread thread, Mark site)
    {
        if (site != Mark.WakeFence)
            base.Fence(thread, site);
    }
}

/// <summary>The loop publishes that it sleeps with a plain store, which others see after its last look at the inbox.</summary>
internal sealed class LatePublication(World world) : ProtocolMemory(world)
{
    internal override long CompareExchange(SimThread thread, Mark site, MarkedCell cell, long value, long comparand)
    {
        if (site != Mark.TrySleep)
            return base.CompareExchange(thread, site, cell, value, comparand);
        Point(thread);
        long before = Look(thread, cell);
        if (before == comparand)
        {
            Buffer(thread, cell.StoreOf(value));
            Judge(site);
        }

        return before;
    }
}

/// <summary>A waker judges whether the loop wakes in time by the deadline of an earlier sleep.</summary>
internal sealed class StaleDeadline(World world) : ProtocolMemory(world)
{
    private long _earlier = long.MinValue;
    private long _newest = long.MinValue;

    internal override long CompareExchange(SimThread thread, Mark site, MarkedCell cell, long value, long comparand)
    {
        long before = base.CompareExchange(thread, site, cell, value, comparand);
        if (site == Mark.TrySleep && before == comparand)
            (_earlier, _newest) = (_newest, value);
        return before;
    }

    internal override long Read(SimThread thread, Mark site, MarkedPlace place)
    {
        long word = base.Read(thread, site, place);
        return site == Mark.WakeLook && word == _newest && _earlier != long.MinValue ? _earlier : word;
    }
}

/// <summary>A waker looks whether the loop sleeps and then stores its promise, without seeing to it that nobody else does meanwhile.</summary>
internal sealed class DoubleWake(World world) : ProtocolMemory(world)
{
    internal override long CompareExchange(SimThread thread, Mark site, MarkedCell cell, long value, long comparand)
    {
        if (site != Mark.WakePromise)
            return base.CompareExchange(thread, site, cell, value, comparand);
        Point(thread);
        Drain(thread);
        long before = cell.Load();
        Point(thread); // the tear
        if (before != comparand)
            return before;
        cell.Save(value);
        Judge(site);
        return before;
    }
}

/// <summary>The loop closes its descriptors without waiting for wakers that are still to write.</summary>
internal sealed class LateClose(World world) : ProtocolMemory(world)
{
    internal override long Read(SimThread thread, Mark site, MarkedPlace place) => site == Mark.StopWakers ? 0 : base.Read(thread, site, place);
}
