namespace Weir;

/// <summary>
/// The registrations of a <see cref="Poller"/>: by token for the waiters, by descriptor number for those who change them. An event finds
/// its registration by slot number and generation, so one that outlived its registration (a descriptor closed while a duplicate lives,
/// a number used again) is recognised and never delivered under another key.
/// </summary>
/// <remarks>Changes are made under the poller's lock; <see cref="TryFind"/> is lock-free and may run at any time.</remarks>
internal sealed class RegistrationTable
{
    private readonly Dictionary<int, Registration> _byDescriptor = [];
    private readonly Stack<Registration> _free = [];
    private Registration[] _slots = [];
    private int _used;

    internal int Count => _byDescriptor.Count;

    /// <summary>The registration under a descriptor number, which the kernel may have dropped meanwhile.</summary>
    internal Registration? Find(int fd) => _byDescriptor.GetValueOrDefault(fd);

    /// <summary>A slot for a registration to be; it is nobody's until <see cref="Keep"/>.</summary>
    internal Registration Take(int fd)
    {
        if (_free.TryPop(out Registration? slot))
        {
            slot.FileDescriptor = fd;
            return slot;
        }

        slot = new Registration(_used, fd);
        if (_used == _slots.Length)
        {
            Registration[] larger = new Registration[Math.Max(16, _used * 2)];
            _slots.CopyTo(larger, 0);
            larger[_used] = slot;
            // Release: a waiter that sees the new array sees its content.
            Volatile.Write(ref _slots, larger);
        }
        else
        {
            Volatile.Write(ref _slots[_used], slot);
        }

        _used++;
        return slot;
    }

    /// <summary>
    /// Makes it the registration of its descriptor number. One that was there before belonged to a file which had that number then: the
    /// kernel has just accepted another, so that one is retired.
    /// </summary>
    internal void Keep(Registration slot)
    {
        if (_byDescriptor.TryGetValue(slot.FileDescriptor, out Registration? earlier))
            Free(earlier);
        _byDescriptor[slot.FileDescriptor] = slot;
    }

    /// <summary>Forgets the registration of a descriptor.</summary>
    internal void Drop(Registration slot)
    {
        _byDescriptor.Remove(slot.FileDescriptor);
        Free(slot);
    }

    /// <summary>Gives a slot back.</summary>
    internal void Free(Registration slot)
    {
        slot.Retire();
        _free.Push(slot);
    }

    /// <summary>The registration that a token stands for, or false when that is gone. Any thread, no lock.</summary>
    internal bool TryFind(ulong token, out nint key, out EpollEvents interest, out PollerMode mode)
    {
        // Acquire: an event reaches a waiter only after its slot was published, but not necessarily on the same core.
        Registration[] slots = Volatile.Read(ref _slots);
        uint index = (uint)token;
        if (index < (uint)slots.Length && Volatile.Read(ref slots[index]) is { } slot)
            return slot.TryRead(token, out key, out interest, out mode);
        (key, interest, mode) = (0, 0, 0);
        return false;
    }
}
