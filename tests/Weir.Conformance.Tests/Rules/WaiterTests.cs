namespace Weir.Conformance.Rules;

/// <summary>Several threads that wait in one set.</summary>
public sealed class WaiterTests : ConformanceTests
{
    private static MachineThread[] StartWaiters(Machine m, Fd set, int count, Action<WaitOutcome>? expect = null, int max = 16)
        => [.. Enumerable.Range(1, count).Select(i => m.StartBlocked($"waiter {i}", () =>
        {
            WaitOutcome outcome = m.Wait(set, Machine.Forever, max);
            expect?.Invoke(outcome);
        }))];

    [Fact, Rule(42)]
    public void The_last_to_wait_is_the_first_to_be_woken() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        MachineThread[] threads = StartWaiters(m, set, 3, outcome => outcome.Is((fd, In)));
        for (int woken = 2; woken >= 0; woken--)
        {
            m.WriteCount(fd);
            m.Join(threads[woken]);
            for (int i = 0; i < woken; i++)
                m.ExpectBlocked(threads[i]);
        }
    });

    [Theory, Rule(43)]
    [InlineData(2)]
    [InlineData(5)]
    public void One_edge_wakes_one_waiter(int waiters) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        MachineThread[] threads = StartWaiters(m, set, waiters, outcome => outcome.Is((fd, In)));
        for (int left = waiters; left > 0; left--)
        {
            m.UntilQuiet();
            m.Expect(threads.Count(thread => !thread.HasEnded) == left, $"{left} are blocked");
            m.WriteCount(fd);
        }

        foreach (MachineThread thread in threads)
            m.Join(thread);
    });

    [Theory, Rule(43)]
    [InlineData(2)]
    [InlineData(5)]
    public void A_level_that_stays_wakes_all_one_after_another(int waiters) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        MachineThread[] threads = StartWaiters(m, set, waiters, outcome => outcome.Is((fd, In)));
        m.WriteCount(fd);
        foreach (MachineThread thread in threads)
            m.Join(thread);
    });

    [Fact, Rule(45)]
    public void One_wake_on_two_registrations_wakes_two_waiters_with_room_for_one() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        Fd copy = m.Dup(fd);
        m.Add(set, fd, In | EdgeTriggered, 1);
        m.Add(set, copy, In | EdgeTriggered, 1);
        MachineThread[] threads = StartWaiters(m, set, 2, outcome => outcome.Is((1, In)), max: 1);
        m.WriteCount(fd);
        foreach (MachineThread thread in threads)
            m.Join(thread);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(46)]
    public void Adding_a_ready_descriptor_wakes_a_waiter() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        MachineThread[] threads = StartWaiters(m, set, 1, outcome => outcome.Is((fd, In)));
        m.Add(set, fd, In | EdgeTriggered);
        m.Join(threads[0]);
    });

    [Fact, Rule(46)]
    public void Modifying_a_ready_descriptor_wakes_a_waiter() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In | EdgeTriggered);
        m.Wait(set).Is((fd, In));
        MachineThread[] threads = StartWaiters(m, set, 1, outcome => outcome.Is((fd, In | Out)));
        m.Mod(set, fd, Pri | EdgeTriggered);
        m.ExpectBlocked(threads[0]);
        m.Mod(set, fd, In | Out | EdgeTriggered);
        m.Join(threads[0]);
    });

    [Theory, Rule(47)]
    [InlineData(EdgeTriggered)]
    [InlineData((EpollEvents)0)]
    public void Those_who_poll_a_set_are_all_woken(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | mode);
        MachineThread[] threads =
            [.. Enumerable.Range(1, 3).Select(i => m.StartBlocked($"poller {i}", () => m.Poll(set, In, Machine.Forever).Is(In)))];
        m.WriteCount(fd);
        foreach (MachineThread thread in threads)
            m.Join(thread);
        m.Wait(set).Is((fd, In));
    });
}
