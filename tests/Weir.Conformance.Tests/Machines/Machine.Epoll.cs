using System.Runtime.InteropServices;

namespace Weir.Conformance;

// epoll and poll(2).
public abstract unsafe partial class Machine
{
    private const EpollEvents AllOfPoll = EpollEvents.In | EpollEvents.Pri | EpollEvents.Out | EpollEvents.RdHup;

    /// <summary>An epoll set.</summary>
    public Fd Epoll()
    {
        Fd fd = Keep(NewName("e"), Kernel.EpollCreate1(FileFlags.CloseOnExec), FdKind.Epoll);
        Note($"{fd} = epoll_create1()");
        return fd;
    }

    /// <summary>epoll_create(2); what it makes is not used. 0, or the error.</summary>
    public Outcome EpollOfSize(int size)
    {
        int number = CreateEpoll(size);
        if (number >= 0)
            Keep(NewName("e"), number, FdKind.Epoll);
        return Call($"epoll_create({size})", Math.Min(number, 0));
    }

    private protected abstract int CreateEpoll(int size);

    /// <summary>epoll_ctl(ADD). What comes back with events is the descriptor's name, or the data given.</summary>
    public Outcome Add(Fd set, Fd fd, EpollEvents events, ulong? data = null) => Control(EpollOp.Add, set, fd, events, data);

    /// <summary>epoll_ctl(MOD).</summary>
    public Outcome Mod(Fd set, Fd fd, EpollEvents events, ulong? data = null) => Control(EpollOp.Modify, set, fd, events, data);

    /// <summary>epoll_ctl(DEL).</summary>
    public Outcome Del(Fd set, Fd fd) => Call($"del({set}, {fd})", Kernel.EpollCtl(set.Number, EpollOp.Delete, fd.Number, null));

    private Outcome Control(EpollOp op, Fd set, Fd fd, EpollEvents events, ulong? data)
    {
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, events, data ?? fd.Id);
        int result = Kernel.EpollCtl(set.Number, op, fd.Number, entry);
        string name = op == EpollOp.Add ? "add" : "mod";
        return Call($"{name}({set}, {fd}, {Masks.Show(events)}{(data == null ? "" : $", data {data}")})", result);
    }

    /// <summary>epoll_ctl with anything for an operation, and with an event that may lie anywhere.</summary>
    public Outcome Control(int op, Fd set, Fd fd, void* epollEvent, string eventName)
        => Call($"epoll_ctl({op}, {set}, {fd}, {eventName})", Kernel.EpollCtl(set.Number, (EpollOp)op, fd.Number, epollEvent));

    /// <summary>epoll_wait with a timeout in milliseconds; only looks if none is given.</summary>
    public WaitOutcome Wait(Fd set, int timeout = 0, int max = 16)
        => Wait($"epoll_wait({set}, {max}, {timeout})", max, events => Kernel.EpollWait(set.Number, events, max, timeout));

    /// <summary>epoll_pwait2, whose timeout is exact.</summary>
    public WaitOutcome WaitExactly(Fd set, TimeSpec timeout, int max = 16)
        => Wait(
            $"epoll_pwait2({set}, {max}, {timeout.Seconds} s {timeout.Nanoseconds} ns)", max,
            events =>
            {
                TimeSpec time = timeout;
                return Kernel.EpollPWait2(set.Number, events, max, &time);
            });

    /// <summary>epoll_wait into memory of the caller's, of which not all may be there.</summary>
    public WaitOutcome WaitInto(Fd set, int max, byte* events, string where)
    {
        int value = Kernel.EpollWait(set.Number, events, max, 0);
        return Waited($"epoll_wait({set}, {max}, 0, {where})", value, events);
    }

    private delegate int Waiting(byte* events);

    private WaitOutcome Wait(string call, int max, Waiting wait)
    {
        // More than this is asked for only to be refused, or with fewer descriptors than this.
        int room = Math.Clamp(max, 1, 1024);
        byte* events = (byte*)NativeMemory.Alloc((nuint)(room * EpollEventLayout.Size));
        try
        {
            return Waited(call, wait(events), events);
        }
        finally
        {
            NativeMemory.Free(events);
        }
    }

    private WaitOutcome Waited(string call, int value, byte* events)
    {
        var ready = new Ready[Math.Max(value, 0)];
        for (int i = 0; i < ready.Length; i++)
            ready[i] = new Ready(EpollEventLayout.Data(events, i), EpollEventLayout.Events(events, i));
        var outcome = new WaitOutcome(this, call, value, ready);
        Note($"{call} = {Show(outcome)}");
        return outcome;
    }

    /// <summary>poll(2) on one descriptor; only looks if no timeout is given, and asks for everything if nothing else is said.</summary>
    public PollOutcome Poll(Fd fd, EpollEvents events = AllOfPoll, int timeout = 0)
    {
        var entry = new PollEntry { Descriptor = fd.Number, Events = (short)events };
        int result = Kernel.Poll(&entry, 1, timeout);
        string call = $"poll({fd}, {Masks.Show(events)}, {timeout})";
        var found = (EpollEvents)(ushort)entry.Returned;
        Note($"{call} = {(result < 0 ? Outcome.Show(result) : Masks.Show(found))}");
        return new PollOutcome(this, call, result, found);
    }

    /// <summary>
    /// Memory of which the first bytes can be used, and what follows cannot be reached.
    /// </summary>
    public byte* FaultingBuffer(int usable) => MapWithHole(usable);

    private protected abstract byte* MapWithHole(int usable);
}
