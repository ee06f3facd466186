namespace Weir.Conformance.Rules;

/// <summary>signalfd.</summary>
public sealed class SignalFdTests : ConformanceTests
{
    [Fact, Rule(87)]
    public void A_signal_is_readable_for_the_thread_that_it_waits_for() => Run(m =>
    {
        Fd set = m.Epoll();
        m.Block(Signal.Standard);
        Fd fd = m.SignalFd(Signal.Standard);
        m.Add(set, fd, In);
        m.Wait(set).IsEmpty();
        m.Kill(Machine.Current, Signal.Standard);
        m.Wait(set).Is((fd, In));
        m.Wait(set).Is((fd, In));
        m.Read(fd, 127).Is(EINVAL);
        m.Read(fd, 128).Is(128);
        m.Read(fd, 128).Is(EAGAIN);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(87)]
    public void Another_threads_wait_drops_it_and_its_owner_sees_nothing() => Run(m =>
    {
        Fd set = m.Epoll();
        m.Block(Signal.Standard);
        Fd fd = m.SignalFd(Signal.Standard);
        m.Add(set, fd, In);
        m.Kill(Machine.Current, Signal.Standard);
        MachineThread other = m.Start("other", () =>
        {
            m.Poll(fd).Is(0);
            m.Wait(set).IsEmpty();
        });
        m.Join(other);
        m.Poll(fd).Is(In);
        m.Wait(set).IsEmpty();
        m.Mod(set, fd, In);
        m.Wait(set).Is((fd, In));
    });

    [Fact, Rule(88)]
    public void Raising_a_pending_standard_signal_again_is_no_edge() => Run(m =>
    {
        Fd set = m.Epoll();
        m.Block(Signal.Standard);
        Fd fd = m.SignalFd(Signal.Standard);
        m.Add(set, fd, In | EdgeTriggered);
        m.Kill(Machine.Current, Signal.Standard);
        m.Wait(set).Is((fd, In));
        m.Kill(Machine.Current, Signal.Standard);
        m.Wait(set).IsEmpty();
        m.Read(fd, 256).Is(128);
        m.Kill(Machine.Current, Signal.Standard);
        m.Wait(set).Is((fd, In));
    });

    [Fact, Rule(88)]
    public void Raising_a_pending_real_time_signal_again_is_one() => Run(m =>
    {
        Fd set = m.Epoll();
        m.Block(Signal.Handled);
        Fd fd = m.SignalFd(Signal.Handled);
        m.Add(set, fd, In | EdgeTriggered);
        m.Kill(Machine.Current, Signal.Handled);
        m.Wait(set).Is((fd, In));
        m.Kill(Machine.Current, Signal.Handled);
        m.Wait(set).Is((fd, In));
        m.Read(fd, 512).Is(256);
    });
}

/// <summary>pidfd.</summary>
[Collection(Alone.Name)]
public sealed class PidFdTests : ConformanceTests
{
    [SinceFact(5, 4), Rule(89)]
    public void A_process_that_has_exited_is_readable() => Run(m =>
    {
        Fd set = m.Epoll();
        MachineChild child = m.StartChild();
        Fd fd = m.PidFd(child);
        m.Add(set, fd, In | Out | EdgeTriggered);
        m.Wait(set).IsEmpty();
        m.Poll(fd).Is(0);
        m.End(child);
        m.Wait(set).Is((fd, In));
        m.Poll(fd).Is(In);
        m.Read(fd, 8).Is(EINVAL);
        m.Reap(child).Is(0);
    });

    // Earlier kernels leave it at IN.
    [SinceFact(6, 9), Rule(89)]
    public void A_process_that_has_been_reaped_is_hung_up_too() => Run(m =>
    {
        Fd set = m.Epoll();
        MachineChild child = m.StartChild();
        Fd fd = m.PidFd(child);
        m.Add(set, fd, In | EdgeTriggered);
        m.End(child);
        m.Wait(set).Is((fd, In));
        m.Reap(child).Is(0);
        m.Poll(fd).Is(In | Hup);
        m.Wait(set).Is((fd, In | Hup));
    });

    private const WaitFlags Look = WaitFlags.Exited | WaitFlags.NoHang;
    private const int Killed = 2000; // CLD_KILLED

    [SinceFact(5, 4), Rule(89)]
    public void A_child_is_looked_at_any_number_of_times_and_reaped_once() => Run(m =>
    {
        MachineChild child = m.StartChild();
        Fd fd = m.PidFd(child);
        m.WaitId(fd, Look).Is(0);
        m.WaitId(fd, Look | WaitFlags.NoReap).Is(0);
        m.SendSignal(fd, 0).Is(0);
        m.SendSignal(fd, 9).Is(0);
        m.AwaitExit(fd);
        m.WaitId(fd, Look | WaitFlags.NoReap, child).Is(Killed + 9);
        m.WaitId(fd, WaitFlags.Exited | WaitFlags.NoReap, child).Is(Killed + 9);
        m.SendSignal(fd, 9).Is(0); // a zombie takes any signal
        m.SendSignal(fd, 65).Is(EINVAL);
        m.WaitId(fd, Look, child).Is(Killed + 9);
        m.WaitId(fd, Look).Is(ECHILD);
        m.WaitId(fd, WaitFlags.Exited).Is(ECHILD);
        m.SendSignal(fd, 9).Is(ESRCH);
        m.SendSignal(fd, 0).Is(ESRCH);
        m.SendSignal(fd, 65).Is(ESRCH);
    });

    [SinceFact(5, 4), Rule(89)]
    public void A_signal_ends_a_child_with_its_number() => Run(m =>
    {
        foreach (int signal in new[] { 1, 14, 15 })
        {
            MachineChild child = m.StartChild();
            Fd fd = m.PidFd(child);
            m.SendSignal(fd, 17).Is(0); // ignored by default
            m.WaitId(fd, Look).Is(0);
            m.SendSignal(fd, signal).Is(0);
            m.WaitId(fd, WaitFlags.Exited, child).Is(Killed + signal);
        }
    });

    [SinceFact(5, 4), Rule(89)]
    public void A_wait_for_a_child_blocks_until_it_ends() => Run(m =>
    {
        MachineChild child = m.StartChild();
        Fd fd = m.PidFd(child);
        MachineThread thread = m.StartBlocked("waiter", () => m.WaitId(fd, WaitFlags.Exited, child).Is(Killed + 9));
        m.End(child);
        m.Join(thread);
    });

    [SinceFact(5, 10), Rule(89)]
    public void A_pidfd_that_does_not_block_makes_a_wait_that_does_not() => Run(m =>
    {
        MachineChild child = m.StartChild();
        Fd fd = m.PidFd(child);
        m.SetNonBlocking(fd).Is(0);
        m.WaitId(fd, WaitFlags.Exited).Is(EAGAIN);
        m.WaitId(fd, Look).Is(0);
        m.End(child);
        m.WaitId(fd, WaitFlags.Exited, child).Is(Killed + 9);
        m.WaitId(fd, WaitFlags.Exited).Is(ECHILD);
    });

    [SinceFact(5, 4), Rule(89)]
    public void What_is_no_pidfd_and_what_is_asked_in_vain() => Run(m =>
    {
        Fd counter = m.EventFd();
        MachineChild child = m.StartChild();
        Fd fd = m.PidFd(child);
        m.WaitId(counter, Look).Is(EBADF);
        m.SendSignal(counter, 9).Is(EBADF);
        m.WaitId(fd, WaitFlags.NoHang).Is(EINVAL); // for nothing
        m.WaitId(fd, Look | (WaitFlags)0x100).Is(EINVAL);
        m.WaitId(counter, WaitFlags.NoHang).Is(EINVAL);
        m.SendSignal(fd, -1).Is(EINVAL);
        m.SendSignal(fd, 65).Is(EINVAL);
        m.WaitId(fd, Look).Is(0);
        m.End(child);
        m.Reap(child).Is(0);
        Fd gone = m.PidFd(m.StartChild());
        m.Close(gone).Is(0);
        m.WaitId(gone, Look).Is(EBADF);
        m.SendSignal(gone, 9).Is(EBADF);
    });

    [SinceFact(5, 4), Rule(89)]
    public void An_exit_wakes_a_waiter() => Run(m =>
    {
        Fd set = m.Epoll();
        MachineChild child = m.StartChild();
        Fd fd = m.PidFd(child);
        m.Add(set, fd, In);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((fd, In)));
        m.End(child);
        m.Join(thread);
        m.Reap(child).Is(0);
    });
}
