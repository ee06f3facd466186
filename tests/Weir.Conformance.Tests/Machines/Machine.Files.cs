using System.Buffers;
using System.Text;

namespace Weir.Conformance;

/// <summary>Files that cannot be polled.</summary>
public enum UnpollableFile
{
    Regular,
    Directory,
    Null,
    Zero,
    Memory,
    PathOnly,
}

// Descriptors, counters, pipes and timers.
public abstract unsafe partial class Machine
{
    private const FileFlags Flags = FileFlags.NonBlock | FileFlags.CloseOnExec;

    // Descriptors

    /// <summary>close(2).</summary>
    public Outcome Close(Fd fd)
    {
        int result = Kernel.Close(fd.Number);
        if (result == 0)
            Forget(fd);
        return Call($"close({fd})", result);
    }

    /// <summary>Another number for the same file: dup(2).</summary>
    public Fd Dup(Fd fd)
    {
        int number = Kernel.Fcntl(fd.Number, FcntlCommand.DupCloseOnExec, 0);
        Fd copy = Keep(fd.Name + "'", number, fd.Kind);
        copy.Address = fd.Address;
        Note($"{copy} = dup({fd})");
        return copy;
    }

    /// <summary>Makes the number of <paramref name="onto"/> stand for the file of <paramref name="fd"/>: dup2(2).</summary>
    public Outcome Dup2(Fd fd, Fd onto)
    {
        int result = Kernel.Dup3(fd.Number, onto.Number, FileFlags.CloseOnExec);
        if (result >= 0)
        {
            onto.Kind = fd.Kind;
            onto.Address = fd.Address;
            Remember(onto);
        }

        return Call($"dup2({fd}, {onto})", result < 0 ? result : 0);
    }

    /// <summary>A file that cannot be polled.</summary>
    public Fd Unpollable(UnpollableFile file)
    {
        Fd fd = Keep(NewName(file.ToString()), OpenUnpollable(file), FdKind.Other);
        Note($"{fd} = open");
        return fd;
    }

    private protected abstract int OpenUnpollable(UnpollableFile file);

    /// <summary>Writes letters: write(2).</summary>
    public Outcome Write(Fd fd, int count = 1) => Put("write", fd, count, (bytes, length) => Kernel.Write(fd.Number, bytes, length));

    /// <summary>Reads, and shows the letters that came: read(2).</summary>
    public Outcome Read(Fd fd, int count = 1) => Take("read", fd, count, (bytes, length) => Kernel.Read(fd.Number, bytes, length));

    private delegate nint Transfer(byte* bytes, nuint length);

    private Outcome Put(string call, Fd fd, int count, Transfer write)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Math.Max(count, 1));
        for (int i = 0; i < count; i++)
            bytes[i] = (byte)('a' + (fd.NextLetter + i) % 26);
        nint result;
        fixed (byte* first = bytes)
            result = write(first, (nuint)count);
        ArrayPool<byte>.Shared.Return(bytes);
        if (result > 0)
            fd.NextLetter = (int)((fd.NextLetter + result) % 26);
        return Call($"{call}({fd}, {count})", result);
    }

    private Outcome Take(string name, Fd fd, int count, Transfer read)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Math.Max(count, 1));
        nint result;
        fixed (byte* first = bytes)
            result = read(first, (nuint)count);
        string call = $"{name}({fd}, {count})";
        Note($"{call} = {Outcome.Show(result)}{(result > 0 ? " " + Letters(bytes.AsSpan(0, (int)result)) : "")}");
        ArrayPool<byte>.Shared.Return(bytes);
        return new Outcome(this, call, result);
    }

    private static string Letters(ReadOnlySpan<byte> bytes)
    {
        if (bytes.ContainsAnyExceptInRange((byte)'a', (byte)'z'))
            return "(not letters)";
        return bytes.Length <= 8 ? Encoding.ASCII.GetString(bytes) : $"{Encoding.ASCII.GetString(bytes[..3])}..{Encoding.ASCII.GetString(bytes[^3..])}";
    }

    /// <summary>Writes pages, then single bytes, until there is no room left; the result is how many bytes.</summary>
    public Outcome Fill(Fd fd, int block = 4096)
    {
        int total = 0;
        nint count;
        byte* bytes = stackalloc byte[block];
        new Span<byte>(bytes, block).Fill((byte)'f');
        while ((count = Kernel.Write(fd.Number, bytes, (nuint)block)) > 0)
            total += (int)count;
        while ((count = Kernel.Write(fd.Number, bytes, 1)) > 0)
            total += (int)count;
        return Ended($"fill({fd}, {block})", total, (int)count);
    }

    /// <summary>Reads until there is nothing left; the result is how many bytes.</summary>
    public Outcome Drain(Fd fd, int block = 4096)
    {
        int total = 0;
        nint count;
        byte* bytes = stackalloc byte[block];
        while ((count = Kernel.Read(fd.Number, bytes, (nuint)block)) > 0)
            total += (int)count;
        return Ended($"drain({fd}, {block})", total, (int)count);
    }

    private Outcome Ended(string call, int total, int last)
    {
        Note($"{call} = {total}, then {Outcome.Show(last)}");
        return new Outcome(this, call, total);
    }

    /// <summary>Bytes that can be read: FIONREAD of ioctl(2).</summary>
    public Outcome Readable(Fd fd)
    {
        const uint FIONREAD = 0x541B;
        int count;
        int result = Kernel.Ioctl(fd.Number, FIONREAD, &count);
        return Call($"FIONREAD({fd})", result < 0 ? result : count);
    }

    // Counters

    /// <summary>An event counter: eventfd(2).</summary>
    public Fd EventFd(uint count = 0, bool semaphore = false)
    {
        EventFdFlags flags = EventFdFlags.NonBlock | EventFdFlags.CloseOnExec | (semaphore ? EventFdFlags.Semaphore : 0);
        Fd fd = Keep(NewName("ev"), Kernel.EventFd(count, flags), FdKind.EventFd);
        Note($"{fd} = eventfd({count}{(semaphore ? ", semaphore" : "")})");
        return fd;
    }

    /// <summary>Adds to a counter.</summary>
    public Outcome WriteCount(Fd fd, ulong value = 1) => Call($"write({fd}, value {value})", Kernel.Write(fd.Number, &value, 8));

    /// <summary>Takes what is in a counter.</summary>
    public CountOutcome ReadCount(Fd fd)
    {
        ulong value = 0;
        nint result = Kernel.Read(fd.Number, &value, 8);
        string call = $"read({fd})";
        Note($"{call} = {CountOutcome.Show(result, value)}");
        return new CountOutcome(this, call, result, value);
    }

    // Pipes

    /// <summary>A pipe.</summary>
    public (Fd Read, Fd Write) Pipe()
    {
        int* fds = stackalloc int[2];
        string name = NewName("p");
        int result = Kernel.Pipe2(fds, Flags);
        if (result < 0)
            Fail($"pipe2: {Outcome.Show(result)}");
        Fd read = Keep(name + ".r", fds[0], FdKind.Pipe), write = Keep(name + ".w", fds[1], FdKind.Pipe);
        Note($"{read}, {write} = pipe()");
        return (read, write);
    }

    /// <summary>A named pipe in the file system; the result is its path.</summary>
    public string Fifo()
    {
        string path = NewPath();
        fixed (byte* first = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
            Call("mkfifo()", Kernel.MakeFifo(first, 0x180)).Is(0); // 0600
        return path;
    }

    /// <summary>A path at which there is nothing; what a program puts there is removed after it.</summary>
    private protected abstract string NewPath();

    /// <summary>Opens one end of a named pipe; null if the kernel refuses.</summary>
    public Fd? OpenFifo(string path, bool write, out Outcome outcome)
    {
        byte[] name = [.. Encoding.UTF8.GetBytes(path), 0];
        int number;
        fixed (byte* first = name)
            number = Kernel.Open(first, Flags | (write ? FileFlags.WriteOnly : FileFlags.ReadOnly), 0);
        Fd? fd = number < 0 ? null : Keep(NewName(write ? "fifo.w" : "fifo.r"), number, FdKind.Pipe);
        outcome = Call($"{fd?.ToString() ?? "none"} = open(fifo, {(write ? "write" : "read")})", Math.Min(number, 0));
        return fd;
    }

    /// <summary>Opens one end of a named pipe.</summary>
    public Fd OpenFifo(string path, bool write)
    {
        Fd? fd = OpenFifo(path, write, out Outcome outcome);
        outcome.Is(0);
        return fd!;
    }

    // Timers

    /// <summary>A timer of the monotonic clock: timerfd_create(2).</summary>
    public Fd TimerFd()
    {
        Fd fd = Keep(NewName("tm"), Kernel.TimerFdCreate(ClockId.Monotonic), FdKind.Timer);
        Note($"{fd} = timerfd_create()");
        return fd;
    }

    /// <summary>Arms a timer, or disarms it by 0; times in milliseconds.</summary>
    public Outcome Arm(Fd timer, int first, int period = 0)
    {
        var spec = new TimerSpec { Value = TimeSpec.FromNanoseconds(first * 1_000_000L), Interval = TimeSpec.FromNanoseconds(period * 1_000_000L) };
        return Call($"timerfd_settime({timer}, {first} ms, {period} ms)", Kernel.TimerFdSetTime(timer.Number, &spec, TimerFdSetFlags.None));
    }

    /// <summary>Arms a timer for a moment so many milliseconds before now.</summary>
    public Outcome ArmInThePast(Fd timer, int ago, int period = 0)
    {
        var spec = new TimerSpec { Value = TimeSpec.FromNanoseconds(Now - ago * 1_000_000L), Interval = TimeSpec.FromNanoseconds(period * 1_000_000L) };
        return Call($"timerfd_settime({timer}, {ago} ms ago, {period} ms)", Kernel.TimerFdSetTime(timer.Number, &spec, TimerFdSetFlags.Absolute));
    }

    /// <summary>timerfd_gettime(2), for what it does to the timer; the times are the machine's own.</summary>
    public Outcome GetTime(Fd timer)
    {
        TimerSpec spec;
        return Call($"timerfd_gettime({timer})", Kernel.TimerFdGetTime(timer.Number, &spec));
    }

    /// <summary>Reads the ticks of a timer: how many have passed is the machine's own affair. 0 if none has.</summary>
    public ulong Ticks(Fd timer)
    {
        ulong value = 0;
        nint result = Kernel.Read(timer.Number, &value, 8);
        Note($"read({timer}) = {(result == 8 ? "ticks" : Outcome.Show(result))}");
        return result == 8 ? value : 0;
    }
}
