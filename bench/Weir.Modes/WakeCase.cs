namespace Weir.Bench.Modes;

/// <summary>How a loop is woken.</summary>
internal enum WakeStyle
{
    /// <summary>An eventfd, level-triggered, read after each wake: what most loops do.</summary>
    LevelAndRead,

    /// <summary>The same, edge-triggered, and read all the same.</summary>
    EdgeAndRead,

    /// <summary>Edge-triggered and never read: each write is an edge, whatever the counter was.</summary>
    EdgeNeverRead,

    /// <summary><see cref="Poller.Wake"/>: edge-triggered and never read, and not written while nobody sleeps.</summary>
    PollerWake,
}

/// <summary>
/// Two ends wake each other in turn. On one thread the sleeper is not asleep, and only the calls are measured; on two threads each wake
/// ends a sleep. A message is one wake.
/// </summary>
internal sealed unsafe class WakeCase(string group, WakeStyle style, bool twoThreads) : ModeCase(group, Describe(style))
{
    private readonly End[] _ends = new End[2];

    internal override int MessagesPerRound => twoThreads ? 8_000 : 20_000;

    private static string Describe(WakeStyle style) => style switch
    {
        WakeStyle.LevelAndRead => "LT eventfd, read each time",
        WakeStyle.EdgeAndRead => "ET eventfd, read each time",
        WakeStyle.EdgeNeverRead => "ET eventfd, never read",
        _ => "Poller.Wake",
    };

    protected override void Open()
    {
        for (int i = 0; i < 2; i++)
        {
            Poller poller = MakePoller();
            int fd = -1;
            if (style != WakeStyle.PollerWake)
            {
                fd = EventFd();
                poller.Add(fd, EpollEvents.In, key: 1, style == WakeStyle.LevelAndRead ? PollerMode.Level : PollerMode.Edge);
            }

            _ends[i] = new End(Kernel, poller, fd, reads: style is WakeStyle.LevelAndRead or WakeStyle.EdgeAndRead);
        }
    }

    internal override void Run(int messages)
    {
        (End left, End right) = (_ends[0], _ends[1]);
        if (!twoThreads)
        {
            for (int i = 0; i < messages; i += 2)
            {
                right.Wake();
                right.Sleep();
                left.Wake();
                left.Sleep();
            }

            return;
        }

        Thread echo = new(() =>
        {
            for (int i = 0; i < messages; i += 2)
            {
                right.Sleep();
                left.Wake();
            }
        });
        echo.Start();
        for (int i = 0; i < messages; i += 2)
        {
            right.Wake();
            left.Sleep();
        }

        echo.Join();
    }

    public override void Dispose()
    {
        foreach (End end in _ends)
            end.Poller.Dispose();
        base.Dispose();
    }

    private sealed class End(Kernel kernel, Poller poller, int fd, bool reads)
    {
        private readonly PollerEvent[] _events = new PollerEvent[4];

        internal Poller Poller => poller;

        internal void Wake()
        {
            if (fd < 0)
            {
                poller.Wake();
                return;
            }

            ulong one = 1;
            Expect(sizeof(ulong), kernel.Write(fd, &one, sizeof(ulong)));
        }

        internal void Sleep()
        {
            Expect(fd < 0 ? 0 : 1, poller.Wait(_events));
            if (!reads)
                return;
            ulong value;
            Expect(sizeof(ulong), kernel.Read(fd, &value, sizeof(ulong)));
        }
    }
}
