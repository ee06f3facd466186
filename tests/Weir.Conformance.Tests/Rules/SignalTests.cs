namespace Weir.Conformance.Rules;

/// <summary>Waits and signals.</summary>
public sealed class SignalTests : ConformanceTests
{
    [Fact, Rule(11)]
    public void A_handler_ends_a_wait_though_it_asks_for_restarting() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        MachineThread thread = m.StartBlocked("waiter", () =>
        {
            m.Wait(set, Machine.Forever).Is(EINTR);
            m.Wait(set).IsEmpty();
        });
        m.Kill(thread, Signal.Handled);
        m.Join(thread);
    });

    [Fact, Rule(11)]
    public void A_handler_ends_a_wait_in_poll_too() => Run(m =>
    {
        Fd fd = m.EventFd();
        MachineThread thread = m.StartBlocked("poller", () => m.Call("poll", m.Poll(fd, In, Machine.Forever).Result).Is(EINTR));
        m.Kill(thread, Signal.Handled);
        m.Join(thread);
    });

    [Fact, Rule(11)]
    public void An_ignored_signal_does_not_end_a_wait() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((fd, In)));
        m.Kill(thread, Signal.Ignored);
        m.ExpectBlocked(thread);
        m.WriteCount(fd);
        m.Join(thread);
    });

    [Fact, Rule(11)]
    public void A_blocked_signal_does_not_end_a_wait() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        MachineThread thread = m.StartBlocked("waiter", () =>
        {
            m.Block(Signal.Handled);
            m.Wait(set, Machine.Forever).Is((fd, In));
            m.ExpectPending(Signal.Handled);
        });
        m.Kill(thread, Signal.Handled);
        m.ExpectBlocked(thread);
        m.WriteCount(fd);
        m.Join(thread);
    });

    [Fact, Rule(12)]
    public void A_ready_event_beats_a_pending_signal() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In | EdgeTriggered);
        m.Block(Signal.Handled);
        m.Kill(Machine.Current, Signal.Handled);
        m.ExpectPending(Signal.Handled);
        m.WaitUnblocked(set, Machine.Forever, Signal.Handled).Is((fd, In));
        m.ExpectPending(Signal.Handled);
        m.WaitUnblocked(set, Machine.Forever, Signal.Handled).Is(EINTR);
        m.ExpectPending(Signal.Handled, pending: false);
    });

    [Fact, Rule(12)]
    public void Only_looking_is_never_interrupted() => Run(m =>
    {
        Fd set = m.Epoll();
        m.Block(Signal.Handled);
        m.Kill(Machine.Current, Signal.Handled);
        m.WaitUnblocked(set, 0, Signal.Handled).IsEmpty();
        m.ExpectPending(Signal.Handled);
        m.WaitUnblocked(set, 1000, Signal.Handled).Is(EINTR);
        m.WaitUnblocked(set, 0, Signal.Handled).IsEmpty();
    });
}

[Collection(Alone.Name)]
public sealed class StopTests : ConformanceTests
{
    [Fact, Rule(11)]
    public void Stopping_and_continuing_ends_a_wait() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is(EINTR));
        m.StopAndContinue();
        m.Join(thread);
    });
}
