using System.Buffers.Binary;

namespace Weir.Simulation;

/// <summary>
/// A queue of signals: signalfd(2), fs/signalfd.c. It has no state of its own but the mask: what is readable are the signals of whoever
/// asks, his thread's and his process's.
/// </summary>
internal sealed class SignalFdFile(World world, ulong signals) : SimFile(world, FileFlags.ReadWrite | FileFlags.NonBlock)
{
    private const int InfoSize = 128; // struct signalfd_siginfo

    /// <summary>The signals that come this way (bit n-1: signal n).</summary>
    internal ulong Signals { get; set; } = signals & SignalNumbers.Blockable;

    internal override string Kind => "signalfd";

    /// <summary>The queue of the process that the caller belongs to: an epoll instance hears of those signals, wherever it is waited on.</summary>
    internal override WaitQueue WaitQueue => World.CurrentThread?.Process.SignalQueue ?? Nobody;

    private static WaitQueue Nobody => new();

    internal override EpollEvents Poll() => PollFor(World.CurrentThread);

    internal override EpollEvents PollFor(SimThread? thread)
        => thread != null && ((thread.Pending.Set | thread.Process.Pending.Set) & Signals) != 0 ? EpollEvents.In : EpollEvents.None;

    internal override nint Read(SimThread thread, ref UserBuffer buffer)
    {
        if (buffer.Length < InfoSize)
            return Error(Errno.EINVAL);
        Span<byte> bytes = stackalloc byte[InfoSize];
        nint total = 0;
        while (buffer.Length >= InfoSize)
        {
            SignalInfo info;
            while (!thread.Process.TryDequeue(thread, Signals, out info))
            {
                if (total > 0)
                    return total;
                int error = World.BlockOn(thread, this, EpollEvents.None);
                if (error < 0)
                    return error;
            }

            // A signal that cannot be handed over is lost.
            Write(info, bytes);
            if (!buffer.Put(bytes))
                return total > 0 ? total : Error(Errno.EFAULT);
            total += InfoSize;
        }

        return total;
    }

    private static void Write(in SignalInfo info, Span<byte> bytes)
    {
        bytes.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(bytes, info.Signal);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[8..], info.Code);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[12..], info.Process);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[40..], info.Status);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[44..], info.Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[48..], info.Value);
    }
}
