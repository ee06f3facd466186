namespace Weir.Bench.Modes;

/// <summary>N connections get a message each; then one thread waits and takes them all, as a busy server does.</summary>
internal sealed unsafe class ReadyBatchCase(string group, int connections, Style style) : ModeCase(group, Receiver.Describe(style))
{
    private const int Length = 64;
    private const int Capacity = 512;

    private readonly int[] _near = new int[connections];
    private readonly int[] _far = new int[connections];
    private readonly PollerEvent[] _events = new PollerEvent[connections];
    private Poller _poller = null!;

    internal override int MessagesPerRound => 20_480; // whole batches

    protected override void Open()
    {
        _poller = MakePoller();
        for (int i = 0; i < connections; i++)
        {
            (_near[i], _far[i]) = Transports.Connect(Kernel, Transport.Unix);
            Keep(_near[i]);
            Keep(_far[i]);
            _poller.Add(_near[i], EpollEvents.In, key: i, Receiver.Mode(style));
        }
    }

    internal override void Run(int messages)
    {
        byte* buffer = stackalloc byte[Capacity];
        for (int done = 0; done < messages; done += connections)
        {
            foreach (int fd in _far)
                Expect(Length, Kernel.Send(fd, buffer, Length, MessageFlags.NoSignal));
            for (int left = connections; left > 0;)
            {
                int count = _poller.Wait(_events);
                for (int i = 0; i < count; i++)
                {
                    nint key = _events[i].Key;
                    Receiver.TakeReady(Kernel, _poller, _near[key], key, style, buffer, Capacity, Length);
                }

                left -= count;
            }
        }
    }

    public override void Dispose()
    {
        _poller.Dispose();
        base.Dispose();
    }
}
