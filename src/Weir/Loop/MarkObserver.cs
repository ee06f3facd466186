namespace Weir;

/// <summary>
/// Does the marked operations when <see cref="Marks.On"/>: this one, each at once and as the machine would. A simulator overrides them to
/// change threads before an operation, and to keep a buffer of stores for each thread.
/// </summary>
/// <remarks>
/// The memory that an observer may simulate is that of x86 (total store order): a store may become visible later, and stores of one thread do
/// so in their order; a read sees the thread's own newest store, visible or not; a read-modify-write, a fence and the entry of a lock come
/// after all earlier stores of the thread have become visible. A faulty program can be had by breaking one of these rules at one site.
/// </remarks>
internal class MarkObserver
{
    /// <summary>A volatile read.</summary>
    internal virtual long Read(Mark site, MarkedPlace place) => place.Load();

    /// <summary>A volatile store, or an entry put into an inbox: visible from <see cref="MarkedStore.Apply"/> on, which must be called once, on any thread.</summary>
    internal virtual void Store(Mark site, MarkedStore store) => store.Apply();

    /// <summary>Returns the value before; it was <paramref name="comparand"/> if the exchange took place.</summary>
    internal virtual long CompareExchange(Mark site, MarkedCell cell, long value, long comparand) => cell.CompareExchange(value, comparand);

    /// <summary>Returns the value before.</summary>
    internal virtual long Exchange(Mark site, MarkedCell cell, long value) => cell.Exchange(value);

    /// <summary>Returns the value after.</summary>
    internal virtual long Add(Mark site, MarkedCell cell, long change) => cell.Add(change);

    /// <summary>Takes an entry; one that finds none is no more than a read.</summary>
    internal virtual bool TryDequeue(Mark site, MarkedInbox inbox, out RunEntry entry) => inbox.TryDequeue(out entry);

    /// <summary>A full fence.</summary>
    internal virtual void Fence(Mark site) => Interlocked.MemoryBarrier();

    /// <summary>The calling thread can do nothing until another has acted: somebody else should run.</summary>
    internal virtual void Spin(Mark site) => Thread.Yield();

    /// <summary>Enters <paramref name="gate"/>, which another thread may hold.</summary>
    internal virtual void Enter(Mark site, Lock gate) => gate.Enter();
}

/// <summary>Something that threads share and that marked operations act on. Its own methods act at once, and atomically.</summary>
internal abstract class MarkedPlace(object owner)
{
    /// <summary>Whose it is: a <see cref="LoopState"/> or a <see cref="LoopWorkQueue"/>.</summary>
    internal object Owner { get; } = owner;

    /// <summary>The value that is visible to all.</summary>
    internal abstract long Load();
}

/// <summary>A store that has been made and is not visible to others yet.</summary>
internal abstract class MarkedStore(MarkedPlace place, long value)
{
    internal MarkedPlace Place { get; } = place;

    /// <summary>What a read of the place gives afterwards, and to the storing thread already before.</summary>
    internal long Value { get; } = value;

    /// <summary>Makes it visible.</summary>
    internal abstract void Apply();
}
