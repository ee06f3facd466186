using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// A number that threads share, with operations that name their site: those of <see cref="Volatile"/> and <see cref="Interlocked"/>, unless
/// <see cref="Marks.On"/>.
/// </summary>
internal struct MarkedInt64
{
    private readonly MarkedCell? _cell; // has the value in its care when marks are on
    private long _value;

    internal MarkedInt64(object owner, long value)
    {
        if (Marks.On)
            _cell = new MarkedCell(owner, value);
        else
            _value = value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Read(Mark site) => Marks.On ? Marks.Observer.Read(site, _cell!) : Volatile.Read(ref _value);

    /// <summary>For onlookers: no operation of any thread, so that the simulator may ask.</summary>
    internal long Peek() => Marks.On ? _cell!.Load() : Volatile.Read(ref _value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Write(Mark site, long value)
    {
        if (Marks.On)
            Marks.Observer.Store(site, _cell!.StoreOf(value));
        else
            Volatile.Write(ref _value, value);
    }

    /// <summary>Returns the value before; a full fence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long CompareExchange(Mark site, long value, long comparand)
        => Marks.On ? Marks.Observer.CompareExchange(site, _cell!, value, comparand) : Interlocked.CompareExchange(ref _value, value, comparand);

    /// <summary>Returns the value before; a full fence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Exchange(Mark site, long value)
        => Marks.On ? Marks.Observer.Exchange(site, _cell!, value) : Interlocked.Exchange(ref _value, value);

    /// <summary>Returns the value after; a full fence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Increment(Mark site) => Marks.On ? Marks.Observer.Add(site, _cell!, 1) : Interlocked.Increment(ref _value);

    /// <summary>Returns the value after; a full fence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Decrement(Mark site) => Marks.On ? Marks.Observer.Add(site, _cell!, -1) : Interlocked.Decrement(ref _value);
}

/// <summary>The place of a number when marks are on.</summary>
internal sealed class MarkedCell(object owner, long value) : MarkedPlace(owner)
{
    private long _value = value;

    internal override long Load() => Volatile.Read(ref _value);

    internal void Save(long value) => Volatile.Write(ref _value, value);

    internal long CompareExchange(long value, long comparand) => Interlocked.CompareExchange(ref _value, value, comparand);

    internal long Exchange(long value) => Interlocked.Exchange(ref _value, value);

    internal long Add(long change) => Interlocked.Add(ref _value, change);

    /// <summary>A store of <paramref name="value"/>, to be made visible now or later.</summary>
    internal MarkedStore StoreOf(long value) => new CellStore(this, value);

    private sealed class CellStore(MarkedCell cell, long value) : MarkedStore(cell, value)
    {
        internal override void Apply() => cell.Save(Value);
    }
}
