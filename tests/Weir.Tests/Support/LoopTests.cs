namespace Weir.Tests;

/// <summary>
/// What tests of loops have in common: where the kernel comes from (a derived class may put another behind the counting one), how a loop is
/// run, descriptors that are closed after the test, and the door's calls on them.
/// </summary>
public abstract class LoopTests : IDisposable
{
    // Numbers from here on are out of reach of everything else in the process: the kernel hands out the lowest free one. Each is asked for
    // once, so that what a test closes behind a loop's back stays closed.
    private static int s_private = 4000;

    private readonly List<int> _open = [];

    private readonly TestBed _bed;

    protected LoopTests()
    {
        _bed = MakeBed();
        Kernel = MakeKernel();
    }

    /// <summary>Where the loops run; called once, from the constructor.</summary>
    protected virtual TestBed MakeBed() => new();

    /// <summary>What counts the calls, in front of <see cref="InnerKernel"/>; called once, from the constructor.</summary>
    protected virtual CountingKernel MakeKernel() => new(InnerKernel);

    /// <summary>The kernel that does the work.</summary>
    protected Kernel InnerKernel => _bed.Kernel;

    /// <summary>The kernel that the test's loops run on. It counts their calls, but not those that the test makes through this class.</summary>
    protected CountingKernel Kernel { get; }

    /// <summary>Options for a loop on <see cref="Kernel"/>.</summary>
    protected virtual LoopOptions Options(Action<LoopOptions>? configure = null)
    {
        var options = new LoopOptions { Kernel = Kernel, Driver = _bed.Driver };
        configure?.Invoke(options);
        return options;
    }

    /// <summary>Runs a loop to its end.</summary>
    protected void Run(Func<EventLoop, Task> main, Action<LoopOptions>? configure = null)
        => _bed.Run(() => main(EventLoop.Current!), Options(configure));

    /// <summary>As <see cref="Run(Func{EventLoop, Task}, Action{LoopOptions}?)"/>, with a result.</summary>
    protected T Run<T>(Func<EventLoop, Task<T>> main, Action<LoopOptions>? configure = null)
        => _bed.Run(() => main(EventLoop.Current!), Options(configure));

    /// <summary>Runs <paramref name="body"/> on a thread of its own; the task ends when it has returned.</summary>
    protected static Task OnThread(Action body)
        => Task.Factory.StartNew(body, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>From another thread: returns when the loop has published that it sleeps; a post may still keep it from doing so.</summary>
    internal static void UntilAsleep(EventLoop loop)
        => Assert.True(SpinWait.SpinUntil(() => loop.Queue.State.Phase == LoopPhase.Sleeping, TestLoop.Limit), "The loop does not go to sleep.");

    /// <summary>From another thread: returns when the loop sleeps and has taken its last look round at least <paramref name="sleeps"/> times.</summary>
    internal static void UntilAsleepAgain(EventLoop loop, long sleeps)
        => Assert.True(
            SpinWait.SpinUntil(() => loop.Queue.State.Phase == LoopPhase.Sleeping && loop.Statistics.Sleeps >= sleeps, TestLoop.Limit),
            "The loop does not go to sleep.");

    /// <summary>Gives events that are there already the turns they need to be seen. On the loop.</summary>
    protected static async Task Settle()
    {
        for (int turn = 0; turn < 3; turn++)
            await EventLoop.Yield();
    }

    protected int Keep(int fd)
    {
        Assert.True(fd >= 0, $"no descriptor: {(Errno)(-fd)}");
        lock (_open)
            _open.Add(fd);
        return fd;
    }

    /// <summary>The test no longer owns it.</summary>
    protected int HandOver(int fd)
    {
        lock (_open)
            Assert.True(_open.Remove(fd));
        return fd;
    }

    protected int EventFd(uint count = 0, EventFdFlags flags = 0)
        => Keep(InnerKernel.EventFd(count, flags | EventFdFlags.NonBlock | EventFdFlags.CloseOnExec));

    protected unsafe (int Read, int Write) Pipe()
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, InnerKernel.Pipe2(fds, FileFlags.NonBlock | FileFlags.CloseOnExec));
        return (Keep(fds[0]), Keep(fds[1]));
    }

    protected unsafe (int Left, int Right) SocketPair()
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, InnerKernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds));
        return (Keep(fds[0]), Keep(fds[1]));
    }

    /// <summary>Another number for the same file, which nobody gets after it is closed.</summary>
    protected int PrivateDuplicate(int fd)
        => Keep(InnerKernel.Fcntl(fd, FcntlCommand.DupCloseOnExec, Interlocked.Increment(ref s_private)));

    protected void Close(int fd) => Assert.Equal(0, InnerKernel.Close(HandOver(fd)));

    protected unsafe void Signal(int eventFd, ulong value = 1) => Assert.Equal(8, InnerKernel.Write(eventFd, &value, 8));

    protected unsafe ulong Drain(int eventFd)
    {
        ulong value;
        Assert.Equal(8, InnerKernel.Read(eventFd, &value, 8));
        return value;
    }

    /// <summary>write(2): the result is the door's.</summary>
    protected unsafe int Write(int fd, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* first = bytes)
            return (int)InnerKernel.Write(fd, first, (nuint)bytes.Length);
    }

    /// <summary>read(2): the result is the door's.</summary>
    protected unsafe int Read(int fd, Span<byte> bytes)
    {
        fixed (byte* first = bytes)
            return (int)InnerKernel.Read(fd, first, (nuint)bytes.Length);
    }

    /// <summary>Writes until there is no room left, and says how much that was.</summary>
    protected int Fill(int fd)
    {
        Span<byte> block = stackalloc byte[4096];
        int total = 0, count;
        while ((count = Write(fd, block)) > 0)
            total += count;
        while ((count = Write(fd, block[..1])) > 0)
            total += count;
        Assert.Equal(-(int)Errno.EAGAIN, count);
        return total;
    }

    /// <summary>Reads until nothing is left, and says how much that was.</summary>
    protected int Empty(int fd)
    {
        Span<byte> block = stackalloc byte[4096];
        int total = 0, count;
        while ((count = Read(fd, block)) > 0)
            total += count;
        Assert.Equal(-(int)Errno.EAGAIN, count);
        return total;
    }

    public virtual void Dispose()
    {
        foreach (int fd in _open)
            InnerKernel.Close(fd);
        GC.SuppressFinalize(this);
    }
}

/// <summary>For tests that count what the whole process has: nothing runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
