namespace Weir.Bench.Modes;

/// <summary>
/// A program that is not able to take what it was told of: N descriptors stay ready and unread while one more is served. A message is one
/// turn: signal that one, wait, take it.
/// </summary>
internal sealed unsafe class UnreadCase(string group, int unread, PollerMode mode, string name) : ModeCase(group, name)
{
    private readonly PollerEvent[] _events = new PollerEvent[unread + 1];
    private Poller _poller = null!;
    private int _served;

    internal override int MessagesPerRound => 5_000;

    protected override void Open()
    {
        _poller = MakePoller();
        ulong one = 1;
        for (int i = 0; i < unread; i++)
        {
            int fd = EventFd();
            Kernel.Write(fd, &one, sizeof(ulong));
            _poller.Add(fd, EpollEvents.In, key: 0, mode);
        }

        _served = EventFd();
        _poller.Add(_served, EpollEvents.In, key: 1);
        Expect(unread, unread == 0 ? 0 : _poller.Wait(_events, TimeSpan.Zero)); // told once
    }

    internal override void Run(int messages)
    {
        for (int i = 0; i < messages; i++)
        {
            ulong value = 1;
            Expect(sizeof(ulong), Kernel.Write(_served, &value, sizeof(ulong)));
            int count = _poller.Wait(_events);
            bool found = false;
            for (int at = 0; at < count; at++)
                found |= _events[at].Key == 1;
            Expect(1, found ? 1 : 0);
            Expect(sizeof(ulong), Kernel.Read(_served, &value, sizeof(ulong)));
        }
    }

    public override void Dispose()
    {
        _poller.Dispose();
        base.Dispose();
    }
}
