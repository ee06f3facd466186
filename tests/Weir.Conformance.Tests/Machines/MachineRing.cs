using System.Runtime.InteropServices;

namespace Weir.Conformance;

/// <summary>A ring in a program: what is submitted and what completes becomes lines of the transcript.</summary>
public sealed unsafe class MachineRing
{
    private const long Patience = 5_000_000_000;

    private readonly Machine _machine;
    private readonly Ring _ring;
    private readonly List<nint> _memory = [];
    private readonly List<BufferRing> _buffers = [];
    private bool _released;

    internal MachineRing(Machine machine, Ring ring, Fd fd)
    {
        _machine = machine;
        _ring = ring;
        Fd = fd;
    }

    /// <summary>Its descriptor, for sets and other rings.</summary>
    public Fd Fd { get; }

    internal Ring Inner => _ring;

    /// <summary>Memory that lives as long as the ring.</summary>
    public byte* Memory(int bytes)
    {
        byte* memory = (byte*)NativeMemory.AllocZeroed((nuint)bytes);
        _memory.Add((nint)memory);
        return memory;
    }

    /// <summary>Memory with letters in it.</summary>
    public byte* Letters(int bytes)
    {
        byte* memory = Memory(bytes);
        for (int i = 0; i < bytes; i++)
            memory[i] = (byte)('a' + i % 26);
        return memory;
    }

    internal BufferRing Buffers(ushort group, int count, int size)
    {
        var buffers = new BufferRing(_machine.Kernel, _ring, group, count, size, count);
        _buffers.Add(buffers);
        _machine.Note($"buffers({Fd}, group {group}, {count} of {size})");
        return buffers;
    }

    internal ref Submission Next(IoUringOp op, ulong data, int fd = -1)
    {
        ref Submission entry = ref _ring.Next();
        entry.Op = op;
        entry.UserData = data;
        entry.Descriptor = fd;
        return ref entry;
    }

    private ref Submission Next(IoUringOp op, ulong data, Fd fd, string more = "")
    {
        _machine.Note($"{Fd}: {op}({fd}{more}), data {data}");
        return ref Next(op, data, fd.Number);
    }

    public void Nop(ulong data) => Next(IoUringOp.Nop, data);

    public void Poll(Fd fd, EpollEvents events, ulong data, bool multishot = false)
    {
        ref Submission entry = ref Next(IoUringOp.PollAdd, data, fd, $", {Masks.Show(events)}{(multishot ? ", multishot" : "")}");
        entry.OperationFlags = (uint)events;
        entry.Length = multishot ? (uint)PollAddFlags.Multishot : 0;
    }

    public void RemovePoll(ulong target, ulong data)
    {
        ref Submission entry = ref Next(IoUringOp.PollRemove, data);
        entry.Address = target;
    }

    public void Receive(Fd fd, byte* buffer, int length, ulong data, MessageFlags flags = MessageFlags.None)
    {
        ref Submission entry = ref Next(IoUringOp.Receive, data, fd, $", {length}, {flags}");
        entry.Address = (ulong)buffer;
        entry.Length = (uint)length;
        entry.OperationFlags = (uint)flags;
    }

    /// <summary>A receive that stays, into buffers of a group.</summary>
    public void ReceiveMultishot(Fd fd, ushort group, ulong data)
    {
        ref Submission entry = ref Next(IoUringOp.Receive, data, fd, ", multishot");
        entry.Flags = SubmissionFlags.BufferSelect;
        entry.BufferGroup = group;
        entry.Priority = IoUringPriority.ReceiveMultishot;
    }

    public void Send(Fd fd, byte* buffer, int length, ulong data, MessageFlags flags = MessageFlags.None)
    {
        ref Submission entry = ref Next(IoUringOp.Send, data, fd, $", {length}, {flags}");
        entry.Address = (ulong)buffer;
        entry.Length = (uint)length;
        entry.OperationFlags = (uint)flags;
    }

    /// <summary>A send that does not wait, and completes only if it has not sent all.</summary>
    public void SendAtOnce(Fd fd, byte* buffer, int length, ulong data)
    {
        ref Submission entry = ref Next(IoUringOp.Send, data, fd, $", {length}, at once");
        entry.Flags = SubmissionFlags.SkipSuccess;
        entry.Address = (ulong)buffer;
        entry.Length = (uint)length;
        entry.OperationFlags = (uint)(MessageFlags.NoSignal | MessageFlags.WaitAll | MessageFlags.DontWait);
    }

    /// <summary>A send without a copy, which completes twice.</summary>
    public void SendZeroCopy(Fd fd, byte* buffer, int length, ulong data, MessageFlags flags = MessageFlags.None)
    {
        ref Submission entry = ref Next(IoUringOp.SendZeroCopy, data, fd, $", {length}, {flags}");
        entry.Address = (ulong)buffer;
        entry.Length = (uint)length;
        entry.OperationFlags = (uint)flags;
    }

    public void Read(Fd fd, byte* buffer, int length, ulong data, long offset = -1)
    {
        ref Submission entry = ref Next(IoUringOp.Read, data, fd, $", {length} at {offset}");
        entry.Address = (ulong)buffer;
        entry.Length = (uint)length;
        entry.Offset = (ulong)offset;
    }

    public void Write(Fd fd, byte* buffer, int length, ulong data, long offset = -1)
    {
        ref Submission entry = ref Next(IoUringOp.Write, data, fd, $", {length} at {offset}");
        entry.Address = (ulong)buffer;
        entry.Length = (uint)length;
        entry.Offset = (ulong)offset;
    }

    public void Accept(Fd listener, ulong data, bool multishot = false)
    {
        ref Submission entry = ref Next(IoUringOp.Accept, data, listener, multishot ? ", multishot" : "");
        entry.OperationFlags = (uint)(FileFlags.NonBlock | FileFlags.CloseOnExec);
        entry.Priority = multishot ? IoUringPriority.AcceptMultishot : (ushort)0;
    }

    public void Connect(Fd fd, Fd target, ulong data)
    {
        var address = (RawSocketAddress*)Memory(sizeof(RawSocketAddress));
        *address = target.Address;
        ref Submission entry = ref Next(IoUringOp.Connect, data, fd, $", {target}");
        entry.Address = (ulong)address->Pointer;
        entry.Offset = address->Length;
    }

    public void Cancel(AsyncCancelFlags flags, ulong target, Fd? fd, ulong data)
    {
        _machine.Note($"{Fd}: cancel({flags}, {target}, {fd}), data {data}");
        ref Submission entry = ref Next(IoUringOp.AsyncCancel, data, fd?.Number ?? -1);
        entry.Address = target;
        entry.OperationFlags = (uint)flags;
    }

    /// <summary>A timeout of so many milliseconds, or so many completions.</summary>
    public void Timeout(int milliseconds, ulong data, uint count = 0, IoUringTimeoutFlags flags = IoUringTimeoutFlags.None, SubmissionFlags links = SubmissionFlags.None)
    {
        var time = (TimeSpec*)Memory(sizeof(TimeSpec));
        *time = TimeSpec.FromNanoseconds(milliseconds * 1_000_000L);
        if ((flags & IoUringTimeoutFlags.Absolute) != 0)
            *time = TimeSpec.FromNanoseconds(_machine.Kernel.ClockGetTime(ClockId.Monotonic) + milliseconds * 1_000_000L);
        _machine.Note($"{Fd}: timeout({milliseconds} ms, {count}, {flags}), data {data}");
        ref Submission entry = ref Next(IoUringOp.Timeout, data);
        entry.Address = (ulong)time;
        entry.Length = 1;
        entry.Offset = count;
        entry.OperationFlags = (uint)flags;
        entry.Flags = links;
    }

    public void RemoveTimeout(ulong target, ulong data)
    {
        ref Submission entry = ref Next(IoUringOp.TimeoutRemove, data);
        entry.Address = target;
    }

    public void Message(MachineRing target, ulong targetData, int value, ulong data)
    {
        ref Submission entry = ref Next(IoUringOp.MessageRing, data, target.Fd, $", {targetData}, {value}");
        entry.Offset = targetData;
        entry.Length = (uint)value;
    }

    // Entering

    public Outcome Submit() => _machine.Call($"submit({Fd})", _ring.Submit());

    /// <summary>Submits and has what has completed brought out.</summary>
    public Outcome Look()
    {
        int result = _ring.SubmitAndLook();
        return _machine.Call($"look({Fd})", result);
    }

    /// <summary>Enters for completions without waiting, whatever the flags in memory say.</summary>
    public Outcome GetEvents(uint least = 0) => Enter(0, least, IoUringEnterFlags.GetEvents);

    /// <summary>Raw io_uring_enter on the descriptor itself.</summary>
    public Outcome Enter(uint submit, uint least, IoUringEnterFlags flags)
        => _machine.Call($"enter({Fd}, {submit}, {least}, {flags})", _machine.Kernel.IoUringEnter(Fd.Number, submit, least, flags, null, 0));

    /// <summary>Waits for so many completions.</summary>
    public Outcome WaitFor(uint least, long nanoseconds = Patience)
    {
        TimeSpec time = TimeSpec.FromNanoseconds(nanoseconds);
        var argument = new IoUringWaitArgument { Timeout = &time };
        int result = _machine.Kernel.IoUringEnter(
            Fd.Number, 0, least, IoUringEnterFlags.GetEvents | IoUringEnterFlags.ExtendedArgument, &argument, (nuint)sizeof(IoUringWaitArgument));
        return _machine.Call($"wait({Fd}, {least})", result);
    }

    /// <summary>Waits for ever.</summary>
    public Outcome WaitForever() => _machine.Call($"wait({Fd})", _ring.SubmitAndWait(-1));

    /// <summary>Completions that can be read.</summary>
    public Outcome Ready() => _machine.Call($"ready({Fd})", _ring.Ready);

    public Outcome NeedsEntering() => _machine.Call($"needs entering({Fd})", _ring.NeedsEntering ? 1 : 0);

    /// <summary>Takes what can be read.</summary>
    public Completed[] Take(int most = int.MaxValue, bool sorted = false)
    {
        var taken = new Completed[Math.Min(_ring.Ready, (uint)most)];
        for (int i = 0; i < taken.Length; i++)
        {
            ref readonly Completion completion = ref _ring.Peek((uint)i);
            taken[i] = new Completed(completion.UserData, completion.Result, completion.Flags);
        }

        _ring.Advance((uint)taken.Length);
        if (sorted)
            Array.Sort(taken, (a, b) => a.Data.CompareTo(b.Data));
        return taken;
    }

    /// <summary>Takes what can be read and says what it was.</summary>
    public Completed[] Completions(bool sorted = false)
    {
        Completed[] taken = Take(sorted: sorted);
        _machine.Note($"{Fd}: [{string.Join(", ", taken)}]");
        return taken;
    }

    /// <summary>As <see cref="Completions"/>, which must be these.</summary>
    public void Expect(params ReadOnlySpan<string> expected)
    {
        string[] found = [.. Completions().Select(completion => completion.ToString())];
        if (!expected.SequenceEqual(found))
            _machine.Fail($"{Fd} completed [{string.Join(", ", found)}] and not [{string.Join(", ", expected!)}]");
    }

    public Outcome CancelNow(AsyncCancelFlags flags, ulong target, Fd? fd = null)
        => _machine.Call($"cancel now({flags}, {target}, {fd})", _ring.CancelNow(flags, target, fd?.Number ?? -1));

    /// <summary>Closes it.</summary>
    public void Close()
    {
        _machine.Note($"close({Fd})");
        Release();
    }

    internal void Release()
    {
        if (_released)
            return;
        _released = true;
        foreach (BufferRing buffers in _buffers)
            buffers.Dispose();
        _ring.Dispose();
        foreach (nint memory in _memory)
            NativeMemory.Free((void*)memory);
    }
}
