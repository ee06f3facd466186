namespace Weir.Simulation;

/// <summary>
/// One simulated machine: what its processes share. Names of the file system, system-wide limits, and (with its addresses) its place in
/// the network.
/// </summary>
internal sealed class Machine
{
    private readonly List<SimKernel> _processes = [];

    internal Machine(World world, string name)
    {
        World = world;
        Name = name;
        world.Add(this);
    }

    internal World World { get; }

    internal string Name { get; }

    internal IReadOnlyList<SimKernel> Processes => _processes;

    /// <summary>What paths stand for: bound unix sockets, FIFOs, and the few files that exist to be refused.</summary>
    internal Dictionary<string, object> Names { get; } = [];

    /// <summary>Open files on the whole machine, and how many there may be (fs.file-max).</summary>
    internal int OpenFiles { get; set; }

    internal int MaxOpenFiles { get; set; } = 1 << 20;

    /// <summary>Registrations in epoll instances, and how many there may be (fs.epoll.max_user_watches).</summary>
    internal int EpollWatches { get; set; }

    internal int MaxEpollWatches { get; set; } = 1 << 22;

    /// <summary>What its unix sockets share.</summary>
    internal UnixTable Unix { get; } = new();

    internal void Add(SimKernel process) => _processes.Add(process);

    /// <summary>Opens what a path stands for. Null: <paramref name="error"/> is the negated errno.</summary>
    internal SimFile? OpenPath(SimThread thread, string path, FileFlags flags, int mode, out int error)
    {
        error = 0;
        if (path is "/dev/null" or "/dev/zero")
            return new NullFile(World, path, flags & ~FileFlags.CloseOnExec);
        error = Names.GetValueOrDefault(path) is UnixNode ? -(int)Errno.ENXIO : -(int)Errno.ENOENT;
        return null;
    }

    public override string ToString() => Name;
}
