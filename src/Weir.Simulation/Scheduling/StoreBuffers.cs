namespace Weir.Simulation;

/// <summary>
/// The memory that the threads of a simulation share at the runtime's marked operations: total store order, as on x86. Each thread has a
/// buffer of stores that the others do not see yet; before each operation others may go on. This is where a missing fence shows.
/// </summary>
/// <remarks>Derived classes break one rule at one site, to see that the breach is found.</remarks>
internal class StoreBuffers(World world)
{
    protected World World { get; } = world;

    private BatonScheduler Scheduler => (BatonScheduler)World.Scheduler;

    internal virtual long Read(SimThread thread, Mark site, MarkedPlace place)
    {
        Point(thread, site);
        return Look(thread, place);
    }

    internal virtual void Store(SimThread thread, Mark site, MarkedStore store)
    {
        Point(thread, site);
        Buffer(thread, store);
    }

    internal virtual long CompareExchange(SimThread thread, Mark site, MarkedCell cell, long value, long comparand)
    {
        Point(thread, site);
        Drain(thread);
        Scheduler.Progress();
        return cell.CompareExchange(value, comparand);
    }

    internal virtual long Exchange(SimThread thread, Mark site, MarkedCell cell, long value)
    {
        Point(thread, site);
        Drain(thread);
        Scheduler.Progress();
        return cell.Exchange(value);
    }

    internal virtual long Add(SimThread thread, Mark site, MarkedCell cell, long change)
    {
        Point(thread, site);
        Drain(thread);
        Scheduler.Progress();
        return cell.Add(change);
    }

    internal virtual bool TryDequeue(SimThread thread, Mark site, MarkedInbox inbox, out RunEntry entry)
    {
        Point(thread, site);
        Drain(thread);
        if (!inbox.TryDequeue(out entry))
            return false;
        Scheduler.Progress();
        return true;
    }

    internal virtual void Fence(SimThread thread, Mark site)
    {
        Point(thread, site);
        Drain(thread);
    }

    internal virtual void Spin(SimThread thread, Mark site)
    {
        Drain(thread); // no buffer holds a store for ever
        Scheduler.LetOthersRun(thread);
    }

    internal virtual void Enter(SimThread thread, Mark site, Lock gate)
    {
        Point(thread, site);
        Drain(thread);
        while (!gate.TryEnter())
            Scheduler.LetOthersRun(thread);
    }

    /// <summary>Others may go on here; and what the thread has buffered may have become visible by now.</summary>
    protected void Point(SimThread thread, Mark? site = null)
    {
        thread.Site = site;
        Scheduler.Preempt(thread);
        if (thread.Stores.Count > 0 && !World.Choices.HoldsStore())
            Drain(thread);
    }

    /// <summary>What the thread sees: its own newest store, or what is visible to all.</summary>
    protected static long Look(SimThread thread, MarkedPlace place)
    {
        for (int i = thread.Stores.Count - 1; i >= 0; i--)
        {
            if (thread.Stores[i].Place == place)
                return thread.Stores[i].Value;
        }

        return place.Load();
    }

    protected void Buffer(SimThread thread, MarkedStore store)
    {
        thread.Stores.Add(store);
        if (!World.Choices.HoldsStore())
            Drain(thread);
    }

    /// <summary>All stores of the thread become visible, in their order.</summary>
    internal static void Drain(SimThread thread)
    {
        if (thread.Stores.Count == 0)
            return;
        foreach (MarkedStore store in thread.Stores)
            store.Apply();
        thread.Stores.Clear();
        ((BatonScheduler)thread.World.Scheduler).Progress();
    }
}

/// <summary>Brings marked operations to the memory of the simulation whose thread makes them; those of other threads it makes as the machine would.</summary>
internal sealed class SimMarks : MarkObserver
{
    /// <summary>Whether the runtime reports its marked operations in this process.</summary>
    internal static bool AreOn { get; } = Install();

    private static bool Install()
    {
        if (Marks.On)
            Marks.Observer = new SimMarks();
        return Marks.On;
    }

    // A stepped loop is alone on its thread from wait to wait; so is whoever comes from outside. What the simulation itself looks at, in a call
    // or while it decides who goes on, is no operation of the program's.
    private static SimThread? Explored
        => SimThread.Current is { IsPreemptible: true, Call: SystemCall.None } thread && !((BatonScheduler)thread.World.Scheduler).IsDeciding ? thread : null;

    internal override long Read(Mark site, MarkedPlace place)
        => Explored is { } thread ? thread.World.Memory.Read(thread, site, place) : base.Read(site, place);

    internal override void Store(Mark site, MarkedStore store)
    {
        if (Explored is { } thread)
            thread.World.Memory.Store(thread, site, store);
        else
            base.Store(site, store);
    }

    internal override long CompareExchange(Mark site, MarkedCell cell, long value, long comparand)
        => Explored is { } thread ? thread.World.Memory.CompareExchange(thread, site, cell, value, comparand) : base.CompareExchange(site, cell, value, comparand);

    internal override long Exchange(Mark site, MarkedCell cell, long value)
        => Explored is { } thread ? thread.World.Memory.Exchange(thread, site, cell, value) : base.Exchange(site, cell, value);

    internal override long Add(Mark site, MarkedCell cell, long change)
        => Explored is { } thread ? thread.World.Memory.Add(thread, site, cell, change) : base.Add(site, cell, change);

    internal override bool TryDequeue(Mark site, MarkedInbox inbox, out RunEntry entry)
        => Explored is { } thread ? thread.World.Memory.TryDequeue(thread, site, inbox, out entry) : base.TryDequeue(site, inbox, out entry);

    internal override void Fence(Mark site)
    {
        if (Explored is { } thread)
            thread.World.Memory.Fence(thread, site);
        else
            base.Fence(site);
    }

    internal override void Spin(Mark site)
    {
        if (Explored is { } thread)
            thread.World.Memory.Spin(thread, site);
        else
            base.Spin(site);
    }

    internal override void Enter(Mark site, Lock gate)
    {
        if (Explored is { } thread)
            thread.World.Memory.Enter(thread, site, gate);
        else
            base.Enter(site, gate);
    }
}
