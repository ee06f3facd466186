using System.Runtime.InteropServices;

namespace Weir.Simulation;

/// <summary>An event counter: eventfd(2), fs/eventfd.c.</summary>
internal sealed class EventFdFile : SimFile
{
    private const ulong Largest = ulong.MaxValue - 1;

    private readonly bool _semaphore;
    private ulong _count;

    internal EventFdFile(World world, ulong count, EventFdFlags flags)
        : base(world, FileFlags.ReadWrite | ((flags & EventFdFlags.NonBlock) != 0 ? FileFlags.NonBlock : 0))
    {
        _count = count;
        _semaphore = (flags & EventFdFlags.Semaphore) != 0;
    }

    internal override string Kind => "eventfd";

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll()
        => (_count > 0 ? EpollEvents.In : 0)
            | (_count == ulong.MaxValue ? EpollEvents.Err : 0)
            | (_count < Largest ? EpollEvents.Out : 0);

    internal override nint Read(SimThread thread, ref UserBuffer buffer)
    {
        if (buffer.Length < sizeof(ulong))
            return Error(Errno.EINVAL);
        while (_count == 0)
        {
            int error = World.BlockOn(thread, this, EpollEvents.In);
            if (error < 0)
                return error;
        }

        ulong taken = _semaphore ? 1 : _count;
        _count -= taken;
        WaitQueue.Wake(EpollEvents.Out);
        return buffer.Put(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in taken))) ? sizeof(ulong) : Error(Errno.EFAULT);
    }

    internal override nint Write(SimThread thread, ref UserBuffer buffer)
    {
        if (buffer.Length != sizeof(ulong))
            return Error(Errno.EINVAL);
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        if (!buffer.Take(bytes))
            return Error(Errno.EFAULT);
        ulong added = BitConverter.ToUInt64(bytes);
        if (added == ulong.MaxValue)
            return Error(Errno.EINVAL);
        while (added > Largest - _count)
        {
            int error = World.BlockOn(thread, this, EpollEvents.Out);
            if (error < 0)
                return error;
        }

        _count += added;
        // Also for 0: whoever watches hears of every write.
        WaitQueue.Wake(EpollEvents.In);
        return sizeof(ulong);
    }
}
