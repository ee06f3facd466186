namespace Weir.Conformance.Scenarios;

/// <summary>Wake-ups that meet with something else: a timeout, a signal, a change of the interest. Whoever wins, nothing is lost or told twice.</summary>
public sealed class WakeUpScenarios : ConformanceTests
{
    private const int Rounds = 20;

    /// <summary>
    /// A waiter and an edge that comes at about the time at which the wait ends for another reason: either the wait or the next look finds it.
    /// </summary>
    private static string WhoSees(Machine m, Func<Fd, WaitOutcome> wait, Action<MachineThread> meanwhile)
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        int waited = 0;
        MachineThread thread = m.Start("waiter", () => waited = wait(set).Value);
        meanwhile(thread);
        m.WriteCount(fd);
        m.Join(thread);
        int looked = m.Wait(set).Events.Count;
        m.Wait(set).IsEmpty();
        return $"{Outcome.Show(waited)} {looked}";
    }

    [Fact]
    public void An_edge_that_comes_when_the_time_is_up_is_not_lost()
        => RunForOutcome(m => WhoSees(m, set => m.Wait(set, 2), _ => m.Sleep(2)), Rounds, "1 0", "0 1");

    [Fact]
    public void An_edge_that_comes_when_a_short_exact_time_is_up_is_not_lost()
    {
        TimeSpec moment = TimeSpec.FromNanoseconds(50_000);
        RunForOutcome(m => WhoSees(m, set => m.WaitExactly(set, moment), _ => m.WaitExactly(m.Epoll(), moment)), Rounds, "1 0", "0 1");
    }

    [Fact]
    public void An_edge_that_comes_with_a_signal_is_not_lost()
        => RunForOutcome(
            m => WhoSees(
                m,
                set => m.Wait(set, Machine.Forever),
                thread =>
                {
                    m.UntilBlocked(thread);
                    m.Kill(thread, Signal.Handled);
                }),
            Rounds, "1 0", "EINTR 1");

    [Fact]
    public void An_edge_that_comes_while_the_wait_begins_is_not_lost()
        => RunForOutcome(m => WhoSees(m, set => m.Wait(set, Machine.Forever), _ => { }), Rounds, "1 0");

    [Fact]
    public void A_registration_made_while_the_wait_begins_is_seen_by_it()
        => RunForOutcome(
            m =>
            {
                Fd set = m.Epoll(), fd = m.EventFd(1);
                MachineThread thread = m.Start("waiter", () => m.Wait(set, Machine.Forever).Is((fd, In)));
                m.Add(set, fd, In | EdgeTriggered);
                m.Join(thread);
                return "seen";
            },
            Rounds, "seen");

    [Fact]
    public void An_interest_widened_while_the_wait_begins_is_seen_by_it()
        => RunForOutcome(
            m =>
            {
                Fd set = m.Epoll(), fd = m.EventFd(1);
                m.Add(set, fd, Pri | EdgeTriggered);
                MachineThread thread = m.Start("waiter", () => m.Wait(set, Machine.Forever).Is((fd, In)));
                m.Mod(set, fd, In | EdgeTriggered);
                m.Join(thread);
                return "seen";
            },
            Rounds, "seen");

    [SinceFact(5, 11)]
    public void An_exact_wait_is_ended_by_an_event_or_by_its_time() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        MachineThread thread = m.StartBlocked("waiter", () => m.WaitExactly(set, new TimeSpec { Seconds = 1000 }).Is((fd, In)));
        m.WriteCount(fd);
        m.Join(thread);
        long start = m.Now;
        m.WaitExactly(set, TimeSpec.FromNanoseconds(1_500_000)).IsEmpty();
        m.Expect(m.Now - start >= 1_500_000, "1.5 ms have passed");
        m.WriteCount(fd);
        m.WaitExactly(set, default).Is((fd, In));
    });
}
