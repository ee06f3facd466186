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

/// <summary>One message of a batch: struct mmsghdr of recvmmsg(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MessageEntry
{
    /// <summary>The message.</summary>
    public MessageHeader Header;

    /// <summary>Bytes received or sent.</summary>
    public uint Length;
}

/// <summary>What statx(2) tells: struct statx.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
public struct StatXResult
{
    /// <summary>Which of the fields were filled in.</summary>
    public StatXMask Mask;

    /// <summary>The preferred size of I/O in bytes.</summary>
    public uint BlockSize;

    /// <summary>Attributes of the file system (compressed, immutable, ...).</summary>
    public ulong Attributes;

    /// <summary>Hard links.</summary>
    public uint Links;

    /// <summary>User id of the owner.</summary>
    public uint Owner;

    /// <summary>Group id of the owner.</summary>
    public uint Group;

    /// <summary>Type and permissions.</summary>
    public ushort Mode;

    private readonly ushort _reserved;

    /// <summary>Inode number.</summary>
    public ulong Inode;

    /// <summary>Bytes.</summary>
    public ulong Size;

    /// <summary>Blocks of 512 bytes in use.</summary>
    public ulong Blocks;

    /// <summary>Which attributes the file system knows.</summary>
    public ulong AttributesMask;

    /// <summary>When it was last read.</summary>
    public StatXTime AccessTime;

    /// <summary>When it was made.</summary>
    public StatXTime BirthTime;

    /// <summary>When its inode last changed.</summary>
    public StatXTime ChangeTime;

    /// <summary>When it was last written.</summary>
    public StatXTime ModifyTime;

    /// <summary>The type among <see cref="Mode"/>: 0x8000 a regular file, 0x4000 a directory, as inode(7) has them.</summary>
    public readonly int FileType => Mode & 0xF000;

    /// <summary>Whether it is a regular file (S_IFREG).</summary>
    public readonly bool IsRegularFile => FileType == 0x8000;

    /// <summary>Whether it is a directory (S_IFDIR).</summary>
    public readonly bool IsDirectory => FileType == 0x4000;
}

/// <summary>Constants for the arguments of statx(2).</summary>
public static class StatXRequest
{
    /// <summary>Stands for the working directory where a directory's descriptor is expected (AT_FDCWD).</summary>
    public const int WorkingDirectory = -100;
}

/// <summary>A time since 1970: struct statx_timestamp.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct StatXTime
{
    /// <summary>Whole seconds.</summary>
    public long Seconds;

    /// <summary>Nanoseconds, 0 to 999,999,999.</summary>
    public uint Nanoseconds;

    private readonly int _reserved;
}

/// <summary>A program to start: the arguments of posix_spawn(3). All strings are zero-terminated, arrays of them end with null.</summary>
public unsafe struct SpawnRequest
{
    /// <summary>The path of the program.</summary>
    public byte* Path;

    /// <summary>Its arguments, the first being its own name.</summary>
    public byte** Arguments;

    /// <summary>Its environment, as NAME=VALUE.</summary>
    public byte** Environment;

    /// <summary>The directory it starts in; null for this process's.</summary>
    public byte* WorkingDirectory;

    /// <summary>What becomes its descriptor 0; -1: this process's own.</summary>
    public int StandardInput;

    /// <summary>What becomes its descriptor 1; -1: this process's own.</summary>
    public int StandardOutput;

    /// <summary>What becomes its descriptor 2; -1: this process's own.</summary>
    public int StandardError;

    /// <summary>Whether it leads a process group of its own, which signals from the terminal do not reach.</summary>
    public bool NewProcessGroup;

    /// <summary>
    /// Filled in: the pidfd of the child, close-on-exec. -1: it has ended, and something has taken note of that already (SIGCHLD ignored).
    /// </summary>
    public int ProcessDescriptor;
}

/// <summary>How a child ended: what waitid(2) leaves in its siginfo_t.</summary>
public struct ChildStatus
{
    /// <summary>The child; 0: none has ended.</summary>
    public int ProcessId;

    /// <summary>CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3.</summary>
    public int Code;

    /// <summary>The exit status, or the signal that ended it.</summary>
    public int Status;
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
