using System.Runtime.CompilerServices;

namespace Weir.Simulation;

/// <summary>
/// The emulated kernel as one simulated process sees it: the same calls, errors and readiness rules as Linux has, under the clock and the
/// scheduler of a <see cref="Sim"/>. Give it to a loop or a poller in place of <see cref="Kernel.Linux"/>.
/// </summary>
/// <remarks>
/// <para>In a <see cref="Sim"/> only threads that the simulation runs may call it; a call from any other is reported as work that escaped.
/// <see cref="Live"/> makes one for ordinary threads.</para>
/// <para>What is not emulated throws <see cref="NotSupportedException"/> that begins with "not emulated:".</para>
/// </remarks>
public sealed unsafe partial class SimKernel : Kernel
{
    private readonly ConditionalWeakTable<Thread, SimThread> _adopted = [];

    internal SimKernel(Machine machine, string name)
    {
        Machine = machine;
        World = machine.World;
        ProcessName = name;
        ProcessId = World.NextProcessId();
        machine.Add(this);
        // Numbers 0 to 2 are taken in every process, and nobody here reads or writes them.
        var terminal = new NullFile(World, "/dev/null", FileFlags.ReadWrite);
        for (int fd = 0; fd < 3; fd++)
            Descriptors.Set(fd, terminal, closeOnExec: false, isInherited: true);
        _actions[SignalNumbers.Pipe] = new SignalAction(SignalDisposition.Ignored);
    }

    /// <summary>
    /// An emulated kernel for ordinary threads in real time: exact in its readiness rules, and nothing about it is deterministic. For code that
    /// needs the thread pool, such as SslStream and HttpClient.
    /// </summary>
    public static SimKernel Live(string name = "sim")
        => new(new Machine(new World(new Choices(new RoundRobinStrategy()), new SimOptions { Mode = SimMode.Live }), name), name);

    /// <inheritdoc/>
    public override string Name => $"simulated {Machine.Name}";

    /// <inheritdoc/>
    public override bool SchedulesThreads => true;

    /// <summary>The name of the process in traces and findings.</summary>
    public string ProcessName { get; }

    /// <summary>The number of the process, as getpid(2) would give it.</summary>
    public int ProcessId { get; }

    internal Machine Machine { get; }

    internal World World { get; }

    internal FdTable Descriptors { get; } = new();

    internal SimThread AdoptThread(Thread thread)
        => _adopted.GetValue(thread, thread => World.AddThread(this, thread.Name ?? $"thread {thread.ManagedThreadId}"));

    // A call in progress: enters the kernel, and on its end leaves it and the result in the log.

    private Call Begin(SystemCall call, int fd = -1, int operation = 0)
    {
        // Before others may go first: a schedule in words says at which call a thread was stopped.
        if (SimThread.Current is { } caller)
            (caller.Call, caller.CallDescriptor) = (call, fd);
        SimThread? thread = World.Scheduler.Enter(this);
        if (thread == null)
            return new Call(World, null!, -(int)Errno.EPERM);
        thread.ClockReads = 0;
        thread.Call = call;
        thread.CallDescriptor = fd;
        thread.CallProcess = this;
        thread.CallOperation = operation;
        // Work of a ring that only waits for the next call is done on the way out of that.
        if ((thread.HasPendingSignal || thread.HasUrgentWork) && !thread.WaitIsOver)
            EnterWithSignal(thread);
        World.Log.Entered(thread);
        return new Call(World, thread, World.Faults.Before(thread, call, fd));
    }

    /// <summary>Begins a call that is about this process and made by whoever the caller is, a thread of another process as well.</summary>
    private Call BeginFromOutside(SystemCall call) => (World.CurrentThread?.Process ?? this).Begin(call);

    // The signal would have reached the thread before it came here.
    private void EnterWithSignal(SimThread thread)
    {
        bool goesOn = false;
        try
        {
            thread.Process.DeliverSignals(thread);
            goesOn = true;
        }
        finally
        {
            if (!goesOn)
                World.Scheduler.Leave(thread);
        }
    }

    private readonly ref struct Call(World world, SimThread thread, int fault)
    {
        internal SimThread Thread => thread;

        /// <summary>A fault that was asked for strikes: the call returns this and does nothing. 0: none.</summary>
        internal int Fault => fault;

        /// <summary>
        /// The caller is no thread of the simulation: its call must touch nothing. It is refused and not thrown at, because the exception
        /// would come out wherever the pool happens to be, and end the test process instead of the simulation.
        /// </summary>
        internal bool IsRefused => thread == null;

        internal nint Returns(nint result)
        {
            if (IsRefused)
                return result;
            world.Faults.After(thread, result);
            world.Edges.AfterCall();
            world.Log.Called(thread, thread.Call, thread.CallDescriptor, result);
            world.Detectors.Called(thread, result);
            return result;
        }

        internal int Returns(int result) => (int)Returns((nint)result);

        /// <summary>An address is another one in each run: it stays out of the log.</summary>
        internal nint ReturnsAddress(nint address)
        {
            Returns((nint)0);
            return address;
        }

        public void Dispose()
        {
            if (IsRefused)
                return;
            thread.Call = SystemCall.None;
            thread.CallDescriptor = -1;
            if (thread.HasSignal)
                LeaveWithSignal();
            else
                world.Scheduler.Leave(thread);
        }

        // exit_to_user_mode_loop
        private void LeaveWithSignal()
        {
            try
            {
                thread.Process.DeliverSignals(thread);
            }
            finally
            {
                world.Scheduler.Leave(thread);
            }
        }
    }

    private static NotSupportedException NotEmulated(string what) => new($"not emulated: {what}");

    // Descriptors

    /// <summary>Gives a new file a number. On failure the file is dropped.</summary>
    internal int Install(SimFile file, bool closeOnExec, int least = 0)
    {
        file.Acquire(); // so that a refusal releases it
        int fd = Descriptors.FindFree(least);
        if (fd >= 0 && !file.CountIn(Machine))
            fd = -(int)Errno.ENFILE;
        if (fd >= 0)
            Descriptors.Set(fd, file, closeOnExec);
        file.Drop();
        return fd;
    }

    private int InstallTwo(SimFile first, SimFile second, bool closeOnExec, int* fds)
    {
        second.Acquire();
        int one = Install(first, closeOnExec);
        int two = one < 0 ? one : Install(second, closeOnExec);
        second.Drop();
        if (two < 0)
        {
            if (one >= 0)
                Descriptors.Take(one)!.Drop();
            return two;
        }

        fds[0] = one;
        fds[1] = two;
        return 0;
    }

    internal static bool IsReadable(SimFile file) => ((int)file.Flags & 3) != (int)FileFlags.WriteOnly;

    internal static bool IsWritable(SimFile file) => ((int)file.Flags & 3) != (int)FileFlags.ReadOnly;
}
