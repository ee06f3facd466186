namespace Weir.Simulation;

/// <summary>
/// Has faults strike in one run: the kernel asks at each place where something may go wrong. Without a plan each question costs a comparison.
/// </summary>
/// <remarks>
/// A fault that leaves a file in a state it would not be in otherwise (less was read than there was) holds the rest back and lets it arrive later, with the
/// wake that an arrival makes, so that a program which trusts its kernel is never left waiting for an edge that does not come.
/// </remarks>
internal sealed unsafe partial class Faults
{
    private readonly World _world;
    private readonly List<FaultRule>?[] _rules = new List<FaultRule>?[Enum.GetValues<SimFault>().Length];
    private readonly Dictionary<FaultRule, int> _struck = [];
    private bool _active; // anything planned, or held back

    internal Faults(World world, SimFaults plan)
    {
        _world = world;
        Plan = plan.Copy();
        Plan.Changed = Sort;
        Sort();
    }

    /// <summary>What is to go wrong in this run.</summary>
    internal SimFaults Plan { get; }

    private void Sort()
    {
        Array.Clear(_rules);
        foreach (FaultRule rule in Plan.Rules)
        {
            if (rule.Probability > 0)
                (_rules[(int)rule.Fault] ??= []).Add(rule);
        }

        NoteActive();
    }

    private void NoteActive()
    {
        _active = Plan.Rules.Count + Plan.Scripts.Count + Plan.Deciders.Count + _held > 0;
        _delays = _rules[(int)SimFault.LateArrival] != null;
        _interrupts = _rules[(int)SimFault.Interrupted] != null;
    }

    private bool _delays;
    private bool _interrupts;

    // Whether a fault strikes here. Every rule that fits is rolled for, the first that strikes counts.
    private FaultRule? Strikes(SimFault fault, SimThread? thread, SystemCall call, SimFile? file)
    {
        if (_rules[(int)fault] is not { } rules || _world.Scheduler.HasEnded)
            return null;
        foreach (FaultRule rule in rules)
        {
            if (!Fits(rule, thread, call, file) || (rule.Most != int.MaxValue && _struck.GetValueOrDefault(rule) >= rule.Most))
                continue;
            if (!_world.Choices.Strikes(rule.Probability))
                continue;
            _struck[rule] = _struck.GetValueOrDefault(rule) + 1;
            Plan.Struck[(int)fault]++;
            return rule;
        }

        return null;
    }

    private static bool Fits(FaultRule rule, SimThread? thread, SystemCall call, SimFile? file)
        => (rule.Call == null || rule.Call == call)
            && (rule.Process == null || rule.Process == thread?.CallProcess.ProcessName)
            && (rule.Machine == null || rule.Machine == thread?.CallProcess.Machine.Name)
            && (rule.FileKind == null || file?.Kind.StartsWith(rule.FileKind, StringComparison.Ordinal) == true)
            && (rule.Descriptor == null || rule.Descriptor == thread?.CallDescriptor);

    private void Note(SimFault fault, SimFile? file, string what) => _world.Log.Note($"fault {fault}: {(file == null ? "" : $"{file}: ")}{what}");

    // Before a call

    /// <summary>Asked before each call does anything: 0, or the negated errno it returns instead.</summary>
    internal int Before(SimThread thread, SystemCall call, int fd) => _active ? Consult(thread, call, fd) : 0;

    private int Consult(SimThread thread, SystemCall call, int fd)
    {
        _after = Afterwards.Nothing;
        if (_world.Scheduler.HasEnded)
            return 0;
        SimFile? file = thread.CallProcess.Descriptors.Find(fd);
        Errno error = ByScript(thread, call, fd, file);
        if (error != Errno.None)
        {
            _world.Log.Note($"fault by script: {call.ManName()} fails with {error}");
            return -(int)error;
        }

        error = call switch
        {
            SystemCall.Read or SystemCall.ReadV or SystemCall.Receive or SystemCall.ReceiveMessage or SystemCall.ReceiveMessages
                or SystemCall.Accept4 => BeforeTaking(thread, call, file),
            SystemCall.Write or SystemCall.WriteV or SystemCall.Send or SystemCall.SendMessage or SystemCall.SendMessages => BeforePutting(thread, call, file),
            SystemCall.Splice => WaitWhileHeld(thread, file, Arrivals),
            _ => Errno.None,
        };
        if (error == Errno.None)
            error = Shortage(thread, call, fd, file);
        return -(int)error;
    }

    private Errno ByScript(SimThread thread, SystemCall call, int fd, SimFile? file)
    {
        Errno error = Errno.None;
        foreach (ScriptedFault script in Plan.Scripts)
        {
            Errno now = script.Count(thread.CallProcess, call, fd);
            if (error == Errno.None)
                error = now;
        }

        if (Plan.Scripts.RemoveAll(script => script.IsOver) > 0)
            NoteActive();
        foreach (Func<FaultCall, Errno> decide in Plan.Deciders)
        {
            if (error == Errno.None)
                error = decide(new FaultCall(thread.CallProcess, call, fd, file?.Kind ?? "", thread.Name));
        }

        return error;
    }

    private Errno BeforeTaking(SimThread thread, SystemCall call, SimFile? file)
    {
        Errno error = WaitWhileHeld(thread, file, Arrivals);
        if (error != Errno.None || file is not SimSocket socket)
            return error;
        TryReset(thread, call, socket);
        EpollEvents now = file.Readiness;
        if (!file.IsNonBlocking || (now & EpollEvents.In) == 0 || (now & Announced) != 0)
            return Errno.None;
        if (Strikes(SimFault.FalseReadiness, thread, call, file) is { } rule)
        {
            Note(SimFault.FalseReadiness, file, "EAGAIN though it was ready");
            Hold(file, Arrivals, Draw(rule));
            return Errno.EAGAIN;
        }

        if (file.IsStream && Strikes(SimFault.StalledPeer, thread, call, file) is { } stall)
            (_after, _afterFile, _afterDelay) = (Afterwards.StallPeer, file, Draw(stall));
        return Errno.None;
    }

    private Errno BeforePutting(SimThread thread, SystemCall call, SimFile? file)
    {
        Errno error = WaitWhileHeld(thread, file, Room);
        if (error == Errno.None && file is SimSocket socket)
            TryReset(thread, call, socket);
        return error;
    }

    private void TryReset(SimThread thread, SystemCall call, SimSocket socket)
    {
        if (_rules[(int)SimFault.ConnectionReset] == null || !socket.IsStream || (socket.Readiness & (EpollEvents.Hup | EpollEvents.Err)) != 0)
            return;
        if (Strikes(SimFault.ConnectionReset, thread, call, socket) != null && socket.TryReset())
            Note(SimFault.ConnectionReset, socket, "reset");
    }

    // Too few descriptors, too little memory

    private Errno Shortage(SimThread thread, SystemCall call, int fd, SimFile? file)
    {
        if (MakesDescriptor(call, fd) && Strikes(SimFault.NoDescriptors, thread, call, file) != null)
        {
            Errno error = _world.Choices.World(2) == 0 ? Errno.EMFILE : Errno.ENFILE;
            Note(SimFault.NoDescriptors, file, $"{call.ManName()} fails with {error}");
            return error;
        }

        Errno memory = MemoryError(call, fd, file);
        if (memory == Errno.None || Strikes(SimFault.NoMemory, thread, call, file) == null)
            return Errno.None;
        Note(SimFault.NoMemory, file, $"{call.ManName()} fails with {memory}");
        return memory;
    }

    private static bool MakesDescriptor(SystemCall call, int fd) => call switch
    {
        SystemCall.Open or SystemCall.Socket or SystemCall.SocketPair or SystemCall.Accept4 or SystemCall.Pipe2 or SystemCall.EpollCreate1
            or SystemCall.EventFd or SystemCall.TimerFdCreate or SystemCall.PidFdOpen or SystemCall.InotifyInit or SystemCall.IoUringSetup => true,
        SystemCall.SignalFd => fd < 0,
        _ => false,
    };

    private static Errno MemoryError(SystemCall call, int fd, SimFile? file) => call switch
    {
        SystemCall.Socket or SystemCall.SocketPair => Errno.ENOBUFS,
        SystemCall.Send or SystemCall.SendMessage or SystemCall.SendMessages or SystemCall.Write or SystemCall.WriteV
            when file is SimSocket socket && (socket.Domain == SocketDomain.Unix || socket.Type == SocketKind.Datagram) => Errno.ENOBUFS,
        SystemCall.EpollCreate1 or SystemCall.EventFd or SystemCall.TimerFdCreate or SystemCall.Pipe2 or SystemCall.IoUringSetup => Errno.ENOMEM,
        SystemCall.SignalFd when fd < 0 => Errno.ENOMEM,
        _ => Errno.None,
    };

    /// <summary>Whether there is no memory for another registration (ENOMEM of EPOLL_CTL_ADD).</summary>
    internal bool RefusesWatch(SimFile file)
    {
        if (!_active || Strikes(SimFault.NoMemory, _world.CurrentThread, SystemCall.EpollCtl, file) == null)
            return false;
        Note(SimFault.NoMemory, file, "EPOLL_CTL_ADD fails with ENOMEM");
        return true;
    }

    /// <summary>Whether a ring has no memory for a table of registered files, or for a place in it.</summary>
    internal bool RefusesRegistration(SimFile ring)
    {
        if (!_active || Strikes(SimFault.NoMemory, _world.CurrentThread, SystemCall.IoUringRegister, ring) == null)
            return false;
        Note(SimFault.NoMemory, ring, "registering files fails with ENOMEM");
        return true;
    }

    // Interrupts

    /// <summary>Whether a signal comes as a thread is about to block. Then it is pending, and is taken when the call has ended with EINTR.</summary>
    internal bool Interrupts(SimThread thread) => _interrupts && Interrupts(thread, thread.Call);

    /// <summary>As <see cref="Interrupts(SimThread)"/>, for a wait outside the call that it belongs to.</summary>
    internal bool Interrupts(SimThread thread, SystemCall call)
    {
        if (!_interrupts || Strikes(SimFault.Interrupted, thread, call, null) == null)
            return false;
        Note(SimFault.Interrupted, null, $"{call.ManName()} of {thread.Name}");
        thread.IsInterrupted = thread.HasSignal = true;
        return true;
    }

    private long Draw(FaultRule rule)
    {
        // A few lengths are enough to make every order of events: the plainest is the whole.
        const int Lengths = 4;
        return EventLoop.ToNanoseconds(rule.Delay) / (1 << (2 * _world.Choices.World(Lengths)));
    }
}
