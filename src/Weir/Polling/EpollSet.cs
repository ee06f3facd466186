using System.Runtime.InteropServices;

namespace Weir;

/// <summary>
/// An epoll instance and the array its events come back in: what the poller and the loop's driver have in common. Results
/// are those of the door (negated errno); judging them is the caller's part.
/// </summary>
/// <remarks>
/// <see cref="Control"/> may be called from any thread; <see cref="Wait(long)"/> and the events belong to one at a time. Several threads
/// wait at once through <see cref="Wait(byte*, int, long)"/>, each with a buffer of its own.
/// </remarks>
internal sealed unsafe class EpollSet : IDisposable
{
    private readonly Kernel _kernel;
    private readonly int _capacity;
    private byte* _events;
    private int _fd;

    /// <summary>A set with room for <paramref name="capacity"/> events; 0 where every waiter brings its own buffer.</summary>
    /// <exception cref="KernelException">No descriptor or no memory for it.</exception>
    internal EpollSet(Kernel kernel, int capacity)
    {
        _kernel = kernel;
        _capacity = capacity;
        _fd = KernelException.Check(kernel.EpollCreate1(FileFlags.CloseOnExec), "epoll_create1");
        _events = (byte*)NativeMemory.Alloc((nuint)(capacity * EpollEventLayout.Size));
    }

    /// <summary>The descriptor of the set itself, which may be polled like any other.</summary>
    internal int FileDescriptor => _fd;

    internal int Control(EpollOp op, int fd, EpollEvents events, ulong data)
    {
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, events, data);
        return _kernel.EpollCtl(_fd, op, fd, entry);
    }

    /// <summary>
    /// Waits until something is ready or <paramref name="timeout"/> nanoseconds have passed (0: only looks; negative: for ever).
    /// Returns the number of events. A signal ends a wait early with 0: callers hold deadlines and ask again.
    /// </summary>
    internal int Wait(long timeout) => Wait(_events, _capacity, timeout);

    /// <summary>As <see cref="Wait(long)"/>, into <paramref name="events"/>, which has room for <paramref name="capacity"/> entries.</summary>
    internal int Wait(byte* events, int capacity, long timeout)
    {
        int count;
        if (timeout <= 0)
        {
            count = _kernel.EpollWait(_fd, events, capacity, timeout == 0 ? 0 : -1);
        }
        else
        {
            TimeSpec span = TimeSpec.FromNanoseconds(timeout);
            count = _kernel.EpollPWait2(_fd, events, capacity, &span);
        }

        if (count >= 0)
            return count;
        return count == -(int)Errno.EINTR ? 0 : throw new KernelException("epoll_wait", _fd, (Errno)(-count));
    }

    /// <summary>Mask and data of event <paramref name="index"/> of the last wait.</summary>
    internal EpollEvents Event(int index, out ulong data)
    {
        data = EpollEventLayout.Data(_events, index);
        return EpollEventLayout.Events(_events, index);
    }

    /// <summary>The data of event <paramref name="index"/> of the last wait.</summary>
    internal ulong DataOf(int index) => EpollEventLayout.Data(_events, index);

    public void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd < 0)
            return;
        _kernel.Close(fd);
        NativeMemory.Free(_events);
        _events = null;
    }
}
