namespace Weir.Bench.Modes;

/// <summary>One way to do the work of its group; all cases of a group do the same work.</summary>
internal abstract class ModeCase(string group, string name) : IDisposable
{
    private readonly List<int> _open = [];

    internal string Group { get; } = group;

    internal string Name { get; } = name;

    /// <summary>How many messages a round handles; chosen so that a round takes some tens of milliseconds.</summary>
    internal virtual int MessagesPerRound => 20_000;

    protected Kernel Kernel { get; private set; } = Kernel.Linux;

    /// <summary>Makes the descriptors, on the kernel that the case is to use.</summary>
    internal void Open(Kernel kernel)
    {
        Kernel = kernel;
        Open();
    }

    /// <summary>Handles so many messages.</summary>
    internal abstract void Run(int messages);

    protected abstract void Open();

    protected int Keep(int fd)
    {
        if (fd < 0)
            throw new KernelException("open", -1, (Errno)(-fd));
        _open.Add(fd);
        return fd;
    }

    protected int EventFd() => Keep(Kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec));

    protected Poller MakePoller() => new(new PollerOptions { Kernel = Kernel });

    public virtual void Dispose()
    {
        foreach (int fd in _open)
            Kernel.Close(fd);
        _open.Clear();
    }

    /// <summary>A result that must be what it must be, or the measurement means nothing.</summary>
    protected static void Expect(nint expected, nint actual)
    {
        if (expected != actual)
            throw new InvalidOperationException($"expected {expected}, got {actual}");
    }
}
