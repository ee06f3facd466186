namespace Weir.Conformance.Rules;

/// <summary>Registrations of which one is woken.</summary>
public sealed class ExclusiveTests : ConformanceTests
{
    private const EpollEvents Level = 0;

    [Theory, Rule(37)]
    [InlineData(In | Out | Err | Hup | WakeUp | EdgeTriggered, true)]
    [InlineData(Level, true)]
    [InlineData(In | OneShot, false)]
    [InlineData(In | RdHup, false)]
    [InlineData(In | Pri, false)]
    [InlineData(RdNorm, false)]
    [InlineData(WrNorm, false)]
    [InlineData(In | Msg, false)]
    [InlineData(In | (EpollEvents)0x0800_0000, false)]
    public void Only_some_bits_go_with_it(EpollEvents events, bool allowed) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        Outcome outcome = m.Add(set, fd, events | Exclusive);
        if (allowed)
            outcome.Is(0);
        else
            outcome.Is(EINVAL);
    });

    [Fact, Rule(38)]
    public void An_exclusive_registration_is_not_modified_but_can_be_removed() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(), plain = m.EventFd(), inner = m.Epoll();
        m.Add(set, fd, In | Exclusive).Is(0);
        m.Mod(set, fd, In).Is(EINVAL);
        m.Mod(set, fd, In | Exclusive).Is(EINVAL);
        m.Add(set, plain, In).Is(0);
        m.Mod(set, plain, In | Exclusive).Is(EINVAL);
        m.Mod(set, plain, Out).Is(0);
        m.Add(set, inner, In | Exclusive).Is(EINVAL);
        m.Del(set, fd).Is(0);
        m.Mod(set, fd, In).Is(ENOENT);
    });

    [Theory, Rule(39)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void The_first_set_that_has_a_waiter_always_wins(EpollEvents mode) => Run(m =>
    {
        Fd first = m.Epoll(), second = m.Epoll(), fd = m.EventFd(), stop = m.EventFd();
        m.Add(first, fd, In | Exclusive | mode);
        m.Add(second, fd, In | Exclusive | mode);
        m.Add(second, stop, In);
        MachineThread other = m.StartBlocked("second", () => m.Wait(second, Machine.Forever).Is((stop, In)));
        for (int round = 0; round < 3; round++)
        {
            MachineThread winner = m.StartBlocked($"first {round}", () => m.Wait(first, Machine.Forever).Is((fd, In)));
            m.WriteCount(fd);
            m.Join(winner);
            m.ReadCount(fd).Is(1);
            m.ExpectBlocked(other);
        }

        m.WriteCount(stop);
        m.Join(other);
    });

    [Theory, Rule(40)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void Sets_before_the_winner_queue_the_item_and_those_after_see_nothing(EpollEvents mode) => Run(m =>
    {
        Fd before = m.Epoll(), winner = m.Epoll(), after = m.Epoll(), fd = m.EventFd();
        foreach (Fd set in (Fd[])[before, winner, after])
            m.Add(set, fd, In | Exclusive | mode);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(winner, Machine.Forever).Is((fd, In)));
        m.WriteCount(fd);
        m.Join(thread);
        m.Wait(before).Is((fd, In));
        m.Wait(after).IsEmpty();
        m.Poll(fd).Is(In | Out); // though it is readable
        m.WriteCount(fd);
        m.Wait(after).Is((fd, In)); // nobody waited this time
    });

    [Theory, Rule(41)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void With_no_waiter_every_set_becomes_ready(EpollEvents mode) => Run(m =>
    {
        Fd fd = m.EventFd();
        Fd[] sets = [m.Epoll(), m.Epoll(), m.Epoll()];
        foreach (Fd set in sets)
            m.Add(set, fd, In | Exclusive | mode);
        m.WriteCount(fd);
        foreach (Fd set in sets)
            m.Wait(set).Is((fd, In));
    });

    [Fact, Rule(41)]
    public void All_that_are_not_exclusive_wake_and_one_that_is() => Run(m =>
    {
        Fd fd = m.EventFd(), stop = m.EventFd();
        Fd shared1 = m.Epoll(), shared2 = m.Epoll(), exclusive1 = m.Epoll(), exclusive2 = m.Epoll();
        m.Add(exclusive1, fd, In | Exclusive);
        m.Add(shared1, fd, In);
        m.Add(exclusive2, fd, In | Exclusive);
        m.Add(shared2, fd, In);
        m.Add(exclusive2, stop, In);
        MachineThread[] woken =
        [
            m.StartBlocked("exclusive 1", () => m.Wait(exclusive1, Machine.Forever).Is((fd, In))),
            m.StartBlocked("shared 1", () => m.Wait(shared1, Machine.Forever).Is((fd, In))),
            m.StartBlocked("shared 2", () => m.Wait(shared2, Machine.Forever).Is((fd, In))),
        ];
        MachineThread other = m.StartBlocked("exclusive 2", () => m.Wait(exclusive2, Machine.Forever).Is((stop, In)));
        m.WriteCount(fd);
        foreach (MachineThread thread in woken)
            m.Join(thread);
        m.ExpectBlocked(other);
        m.WriteCount(stop);
        m.Join(other);
    });
}
