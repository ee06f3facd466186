using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// Where other threads leave entries for a loop. Lock-free but for the rare growth of a segment; a drained segment is used again, so steady
/// posting allocates nothing.
/// </summary>
internal readonly struct Inbox
{
    private readonly ConcurrentQueue<RunEntry> _entries = new();
    private readonly MarkedInbox? _place;

    internal Inbox(object owner)
    {
        if (Marks.On)
            _place = new MarkedInbox(owner, _entries);
    }

    /// <summary>What is visible in it now, for those who look for what went wrong.</summary>
    internal IEnumerable<RunEntry> Entries => _entries;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsEmpty(Mark site) => Marks.On ? Marks.Observer.Read(site, _place!) == 0 : _entries.IsEmpty;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Enqueue(Mark site, in RunEntry entry)
    {
        if (Marks.On)
            Marks.Observer.Store(site, _place!.StoreOf(entry));
        else
            _entries.Enqueue(entry);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryDequeue(Mark site, out RunEntry entry)
        => Marks.On ? Marks.Observer.TryDequeue(site, _place!, out entry) : _entries.TryDequeue(out entry);
}

/// <summary>An inbox as a place; its value is 1 while there are entries, else 0.</summary>
internal sealed class MarkedInbox(object owner, ConcurrentQueue<RunEntry> entries) : MarkedPlace(owner)
{
    private readonly ConcurrentQueue<RunEntry> _entries = entries;

    internal override long Load() => _entries.IsEmpty ? 0 : 1;

    internal bool TryDequeue(out RunEntry entry) => _entries.TryDequeue(out entry);

    /// <summary>The store that puts an entry in, to be made visible now or later.</summary>
    internal MarkedStore StoreOf(in RunEntry entry) => new EntryStore(this, entry);

    private sealed class EntryStore(MarkedInbox inbox, RunEntry entry) : MarkedStore(inbox, 1)
    {
        internal override void Apply() => inbox._entries.Enqueue(entry);
    }
}
