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
        return $"{Conformance.Outcome.Show(waited)} {looked}";
    }

    [Fact]
    public void An_edge_that_comes_when_the_time_is_up_is_not_lost()
    {
        for (int i = 0; i < Rounds; i++)
        {
            string outcome = Outcome(m => WhoSees(m, set => m.Wait(set, 2), _ => m.Sleep(2)));
            Assert.Contains(outcome, (string[])["1 0", "0 1"]);
        }
    }

    [Fact]
    public void An_edge_that_comes_when_a_short_exact_time_is_up_is_not_lost()
    {
        for (int i = 0; i < Rounds; i++)
        {
            string outcome = Outcome(m => WhoSees(m, set => m.WaitExactly(set, TimeSpec.FromNanoseconds(50_000)), _ => { }));
            Assert.Contains(outcome, (string[])["1 0", "0 1"]);
        }
    }

    [Fact]
    public void An_edge_that_comes_with_a_signal_is_not_lost()
    {
        for (int i = 0; i < Rounds; i++)
        {
            string outcome = Outcome(m => WhoSees(
                m,
                set => m.Wait(set, Machine.Forever),
                thread =>
                {
                    m.UntilBlocked(thread);
                    m.Kill(thread, Signal.Handled);
                }));
            Assert.Contains(outcome, (string[])["1 0", "EINTR 1"]);
        }
    }

    [Fact]
    public void An_edge_that_comes_while_the_wait_begins_is_not_lost()
    {
        for (int i = 0; i < Rounds; i++)
            Assert.Equal("1 0", Outcome(m => WhoSees(m, set => m.Wait(set, Machine.Forever), _ => { })));
    }

    [Fact]
    public void A_registration_made_while_the_wait_begins_is_seen_by_it()
    {
        for (int i = 0; i < Rounds; i++)
        {
            string outcome = Outcome(m =>
            {
                Fd set = m.Epoll(), fd = m.EventFd(1);
                MachineThread thread = m.Start("waiter", () => m.Wait(set, Machine.Forever).Is((fd, In)));
                m.Add(set, fd, In | EdgeTriggered);
                m.Join(thread);
                return "seen";
            });
            Assert.Equal("seen", outcome);
        }
    }

    [Fact]
    public void An_interest_widened_while_the_wait_begins_is_seen_by_it()
    {
        for (int i = 0; i < Rounds; i++)
        {
            string outcome = Outcome(m =>
            {
                Fd set = m.Epoll(), fd = m.EventFd(1);
                m.Add(set, fd, Pri | EdgeTriggered);
                MachineThread thread = m.Start("waiter", () => m.Wait(set, Machine.Forever).Is((fd, In)));
                m.Mod(set, fd, In | EdgeTriggered);
                m.Join(thread);
                return "seen";
            });
            Assert.Equal("seen", outcome);
        }
    }

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
