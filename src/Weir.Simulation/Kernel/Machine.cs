namespace Weir.Simulation;

/// <summary>
/// One simulated machine: what its processes share. Names of the file system, system-wide limits, and (with its addresses) its place in
/// the network.
/// </summary>
internal sealed partial class Machine
{
    private readonly List<SimKernel> _processes = [];

    internal Machine(World world, string name)
    {
        World = world;
        Name = name;
        Root = MakeRoot();
        Stack = new NetStack(this);
        world.Add(this);
    }

    internal World World { get; }

    internal string Name { get; }

    internal NetStack Stack { get; }

    internal IReadOnlyList<SimKernel> Processes => _processes;

    /// <summary>Open files on the whole machine, and how many there may be (fs.file-max).</summary>
    internal int OpenFiles { get; set; }

    internal int MaxOpenFiles { get; set; } = 1 << 20;

    /// <summary>Registrations in epoll instances, and how many there may be (fs.epoll.max_user_watches).</summary>
    internal int EpollWatches { get; set; }

    internal int MaxEpollWatches { get; set; } = 1 << 22;

    /// <summary>Inotify instances, and how many there may be (fs.inotify.max_user_instances).</summary>
    internal int InotifyInstances { get; set; }

    internal int MaxInotifyInstances { get; set; } = 128;

    /// <summary>Watches of inotify instances, and how many there may be (fs.inotify.max_user_watches).</summary>
    internal int InotifyWatches { get; set; }

    internal int MaxInotifyWatches { get; set; } = 1 << 20;

    /// <summary>Events that the queue of an instance holds (fs.inotify.max_queued_events); instances there are keep what they were made with.</summary>
    internal int MaxInotifyEvents { get; set; } = 16384;

    /// <summary>What its unix sockets share.</summary>
    internal UnixTable Unix { get; } = new();

    internal void Add(SimKernel process) => _processes.Add(process);

    /// <summary>The process of a number, unless it has been reaped.</summary>
    internal SimKernel? FindProcess(int processId) => _processes.Find(process => process.ProcessId == processId && !process.IsReaped);

    public override string ToString() => Name;
}
