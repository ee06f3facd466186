namespace Weir.Bench.Modes;

/// <summary>How a program learns of data and takes it.</summary>
internal enum Style
{
    /// <summary>Level-triggered, one read: if anything is left, the next wait says so.</summary>
    Level,

    /// <summary>Edge-triggered, read until EAGAIN, as the man page asks for.</summary>
    EdgeUntilAgain,

    /// <summary>Edge-triggered; a read that did not fill its buffer ends it, which is sound on TCP sockets without PRI or RDHUP only.</summary>
    EdgeShortRead,

    /// <summary>One-shot, one read, re-armed by a modification.</summary>
    OneShot,

    /// <summary>As <see cref="Level"/> on the bare system calls, to show what the poller itself costs.</summary>
    LevelWithoutPoller,
}

/// <summary>One end of a connection with a poller of its own.</summary>
internal sealed unsafe class Receiver : IDisposable
{
    private readonly Kernel _kernel;
    private readonly int _fd;
    private readonly Style _style;
    private readonly Poller? _poller;
    private readonly int _bare = -1;
    private readonly PollerEvent[] _events = new PollerEvent[8];

    internal Receiver(Kernel kernel, int fd, Style style)
    {
        (_kernel, _fd, _style) = (kernel, fd, style);
        if (style == Style.LevelWithoutPoller)
        {
            _bare = kernel.EpollCreate1(FileFlags.CloseOnExec);
            byte* entry = stackalloc byte[16];
            EpollEventLayout.Set(entry, 0, EpollEvents.In, 1);
            kernel.EpollCtl(_bare, EpollOp.Add, fd, entry);
        }
        else
        {
            _poller = new Poller(new PollerOptions { Kernel = kernel });
            _poller.Add(fd, EpollEvents.In, key: 1, Mode(style));
        }
    }

    internal static PollerMode Mode(Style style) => style switch
    {
        Style.EdgeUntilAgain or Style.EdgeShortRead => PollerMode.Edge,
        Style.OneShot => PollerMode.OneShot,
        _ => PollerMode.Level,
    };

    internal static string Describe(Style style) => style switch
    {
        Style.Level => "LT, one read",
        Style.EdgeUntilAgain => "ET, read until EAGAIN",
        Style.EdgeShortRead => "ET, stop at a short read",
        Style.OneShot => "ONESHOT, one read, MOD",
        _ => "LT, one read, no Poller",
    };

    /// <summary>Waits for a message and takes it.</summary>
    internal void Take(byte* buffer, int capacity, int length)
    {
        if (_poller is null)
        {
            byte* events = stackalloc byte[8 * 16];
            while (_kernel.EpollWait(_bare, events, 8, -1) != 1)
            {
            }
        }
        else
        {
            _poller.Wait(_events);
        }

        TakeReady(_kernel, _poller, _fd, 1, _style, buffer, capacity, length);
    }

    /// <summary>Takes a message from a descriptor that has been reported.</summary>
    internal static void TakeReady(Kernel kernel, Poller? poller, int fd, nint key, Style style, byte* buffer, int capacity, int length)
    {
        if (kernel.Receive(fd, buffer, (nuint)capacity, MessageFlags.None) != length)
            throw new InvalidOperationException("a message was split");
        if (style == Style.EdgeUntilAgain && kernel.Receive(fd, buffer, (nuint)capacity, MessageFlags.None) != -(int)Errno.EAGAIN)
            throw new InvalidOperationException("there was more than one message");
        if (style == Style.OneShot)
            poller!.Modify(fd, EpollEvents.In, key, PollerMode.OneShot);
    }

    public void Dispose()
    {
        _poller?.Dispose();
        if (_bare >= 0)
            _kernel.Close(_bare);
    }
}
