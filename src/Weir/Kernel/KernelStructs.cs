using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>One buffer of a vectored call: struct iovec of readv(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct IoVector
{
    /// <summary>The first byte.</summary>
    public void* Base;

    /// <summary>How many bytes.</summary>
    public nuint Length;
}

/// <summary>Seconds and nanoseconds: struct timespec of clock_gettime(2) on 64-bit systems.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TimeSpec
{
    /// <summary>Whole seconds.</summary>
    public long Seconds;

    /// <summary>Nanoseconds, 0 to 999,999,999.</summary>
    public long Nanoseconds;

    /// <summary>Splits a count of nanoseconds, which is not negative.</summary>
    public static TimeSpec FromNanoseconds(long nanoseconds)
    {
        (long seconds, long rest) = Math.DivRem(nanoseconds, 1_000_000_000L);
        return new TimeSpec { Seconds = seconds, Nanoseconds = rest };
    }

    /// <summary>The whole as nanoseconds.</summary>
    public readonly long ToNanoseconds() => Seconds * 1_000_000_000L + Nanoseconds;
}

/// <summary>Interval and first expiry of a timer: struct itimerspec of timerfd_settime(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TimerSpec
{
    /// <summary>The period; zero for a timer that fires once.</summary>
    public TimeSpec Interval;

    /// <summary>The first expiry; zero disarms.</summary>
    public TimeSpec Value;
}

/// <summary>One entry of poll(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PollEntry
{
    /// <summary>The descriptor; a negative one is skipped.</summary>
    public int Descriptor;

    /// <summary>What is asked for: the low 16 bits of <see cref="EpollEvents"/>.</summary>
    public short Events;

    /// <summary>What was found.</summary>
    public short Returned;
}

/// <summary>Head of a message: struct msghdr of recvmsg(2) on 64-bit systems.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct MessageHeader
{
    /// <summary>Address of the peer, or null.</summary>
    public void* Name;

    /// <summary>Bytes at <see cref="Name"/>.</summary>
    public uint NameLength;

    /// <summary>The buffers.</summary>
    public IoVector* Vectors;

    /// <summary>How many buffers.</summary>
    public nuint VectorCount;

    /// <summary>Ancillary data, or null.</summary>
    public void* Control;

    /// <summary>Bytes at <see cref="Control"/>.</summary>
    public nuint ControlLength;

    /// <summary>Flags of the message received.</summary>
    public MessageFlags Flags;
}

/// <summary>
/// Access to an array of struct epoll_event as the kernel lays it out: packed to 12 bytes on x64 (so that 32-bit programs share the
/// layout), 16 bytes elsewhere (include/uapi/linux/eventpoll.h, EPOLL_PACKED).
/// </summary>
public static unsafe class EpollEventLayout
{
    /// <summary>Bytes of one entry.</summary>
    public static readonly int Size = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    /// <summary>The event mask of entry <paramref name="index"/>.</summary>
    public static EpollEvents Events(void* array, int index) => *(EpollEvents*)((byte*)array + (nint)index * Size);

    /// <summary>The caller's 64 bits of entry <paramref name="index"/>.</summary>
    public static ulong Data(void* array, int index) => Unsafe.ReadUnaligned<ulong>((byte*)array + (nint)index * Size + DataOffset);

    /// <summary>Writes entry <paramref name="index"/>.</summary>
    public static void Set(void* array, int index, EpollEvents events, ulong data)
    {
        byte* entry = (byte*)array + (nint)index * Size;
        *(EpollEvents*)entry = events;
        Unsafe.WriteUnaligned(entry + DataOffset, data);
    }
}
