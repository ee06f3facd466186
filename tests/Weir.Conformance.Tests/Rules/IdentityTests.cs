namespace Weir.Conformance.Rules;

/// <summary>What a registration belongs to, and what closing does to it.</summary>
public sealed class IdentityTests : ConformanceTests
{
    [Fact, Rule(15)]
    public void A_registration_belongs_to_a_file_and_a_number() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(), other = m.EventFd();
        Fd copy = m.Dup(fd);
        m.Add(set, fd, In, 1).Is(0);
        m.Add(set, copy, In, 2).Is(0); // the same file by another number
        m.WriteCount(fd);
        m.Wait(set).Is((2, In), (1, In));
        m.Dup2(other, fd).Is(0);
        m.Add(set, fd, In, 3).Is(0); // the same number for another file
        m.WriteCount(fd);
        m.Wait(set).Is((2, In), (1, In), (3, In));
        m.Del(set, fd).Is(0);
        m.Wait(set).Is((2, In), (1, In));
    });

    [Theory, Rule(16)]
    [InlineData(EdgeTriggered)]
    [InlineData((EpollEvents)0)]
    public void Closing_the_last_number_removes_the_registration_silently(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(), kept = m.EventFd(1);
        m.Add(set, fd, In | mode);
        m.Add(set, kept, In | mode);
        m.WriteCount(fd);
        m.Close(fd);
        m.Wait(set).Is((kept, In));
        m.Del(set, fd).Is(EBADF);
    });

    [Fact, Rule(16)]
    public void So_does_duplicating_over_the_last_number() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1), other = m.EventFd(1);
        m.Add(set, fd, In, 1);
        m.Dup2(other, fd).Is(0);
        m.Wait(set).IsEmpty();
        m.Mod(set, fd, In).Is(ENOENT);
        m.Add(set, fd, In, 2).Is(0);
        m.Wait(set).Is((2, In));
    });

    [Fact, Rule(16)]
    public void Closing_both_ends_of_a_pair_in_turn_leaves_nothing_behind() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, In | Out | RdHup | EdgeTriggered);
        m.Add(set, b, In | Out | RdHup | EdgeTriggered);
        m.Close(a);
        m.Wait(set).Is((b, In | Out | RdHup | Hup));
        m.Close(b);
        m.Wait(set).IsEmpty();
    });

    [Theory, Rule(17)]
    [InlineData(EdgeTriggered)]
    [InlineData((EpollEvents)0)]
    public void A_closed_number_with_a_living_duplicate_goes_on_reporting(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        Fd copy = m.Dup(fd);
        m.Add(set, fd, In | mode, 1);
        m.Close(fd);
        m.WriteCount(copy);
        m.Wait(set).Is((1, In));
        m.WriteCount(copy);
        m.Wait(set).Is((1, In));
        m.Del(set, fd).Is(EBADF);
        m.Mod(set, fd, In).Is(EBADF);
        m.Del(set, copy).Is(ENOENT);
        m.Mod(set, copy, In).Is(ENOENT);
        m.Dup2(copy, fd).Is(0);
        m.Mod(set, fd, In, 2).Is(0);
        m.Wait(set).Is((2, In));
        m.Del(set, fd).Is(0);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(17)]
    public void A_ghost_ends_with_the_last_duplicate() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        Fd copy = m.Dup(fd);
        m.Add(set, fd, In, 1);
        m.Close(fd);
        m.Wait(set).Is((1, In));
        m.Close(copy);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(18)]
    public void A_number_used_again_is_a_new_registration_beside_the_old_one() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(), successor = m.EventFd();
        Fd copy = m.Dup(fd);
        m.Add(set, fd, In, 1);
        m.Dup2(successor, fd).Is(0);
        m.Mod(set, fd, In, 2).Is(ENOENT);
        m.Add(set, fd, In, 2).Is(0);
        m.WriteCount(copy);
        m.WriteCount(successor);
        m.Wait(set).Is((1, In), (2, In));
        m.ReadCount(copy).Is(1);
        m.Wait(set).Is((2, In));
        m.Del(set, fd).Is(0);
        m.WriteCount(copy);
        m.Wait(set).Is((1, In));
    });

    [Fact, Rule(19)]
    public void A_duplicate_of_a_set_is_the_same_set() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1);
        Fd copy = m.Dup(set);
        m.Add(set, a, In | EdgeTriggered);
        m.Add(copy, a, In).Is(EEXIST);
        m.Add(copy, b, In | EdgeTriggered);
        m.Wait(set, max: 1).Is((a, In));
        m.Wait(copy).Is((b, In));
        m.Wait(set).IsEmpty();
        m.Close(set);
        m.WriteCount(a);
        m.Wait(copy).Is((a, In));
        m.Del(copy, a).Is(0);
    });

    [Fact, Rule(20)]
    public void A_waiter_goes_on_when_its_set_is_closed() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((fd, In)));
        m.Close(set);
        m.ExpectBlocked(thread);
        m.WriteCount(fd);
        m.Join(thread);
        m.Wait(set).Is(EBADF);
    });

    [Fact, Rule(20)]
    public void Closing_a_watched_descriptor_wakes_nobody() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(), other = m.EventFd();
        m.Add(set, fd, In);
        m.Add(set, other, In);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((other, In)));
        m.Close(fd);
        m.ExpectBlocked(thread);
        m.WriteCount(other);
        m.Join(thread);
    });
}

[Collection(Alone.Name)]
public sealed class ForkTests : ConformanceTests
{
    [Fact, Rule(19)]
    public void A_child_shares_the_set_of_its_parent() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1), resume = m.EventFd();
        m.Add(set, fd, In | EdgeTriggered);
        MachineThread child = m.StartProcess("child", () =>
        {
            m.Add(set, fd, In).Is(EEXIST);
            m.Mod(set, fd, In | EdgeTriggered, 7).Is(0);
            m.Wait(set).Is((7, In));
            m.Poll(resume, In, Machine.Forever).Is(In);
        });
        m.UntilBlocked(child);
        m.Wait(set).IsEmpty();
        m.WriteCount(fd);
        m.Wait(set).Is((7, In));
        m.WriteCount(resume);
        m.Join(child);
        m.Mod(set, fd, In).Is(0);
    });

    [Fact, Rule(19)]
    public void What_a_child_adds_its_parent_sees_until_the_file_dies() => Run(m =>
    {
        Fd set = m.Epoll(), resume = m.EventFd();
        MachineThread child = m.StartProcess("child", () =>
        {
            Fd own = m.EventFd(1);
            m.Add(set, own, In, 7).Is(0);
            m.Poll(resume, In, Machine.Forever).Is(In);
        });
        m.UntilBlocked(child);
        m.Wait(set).Is((7, In));
        m.Wait(set).Is((7, In));
        m.WriteCount(resume);
        m.Join(child);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(19)]
    public void A_descriptor_that_a_child_has_open_still_reports_after_the_parent_closed_it() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1), resume = m.EventFd();
        m.Add(set, fd, In);
        MachineThread child = m.StartProcess("child", () =>
        {
            m.Poll(resume, In, Machine.Forever).Is(In);
            m.Del(set, fd).Is(0);
        });
        m.UntilBlocked(child);
        m.Close(fd);
        m.Wait(set).Is((fd, In));
        m.Del(set, fd).Is(EBADF);
        m.Wait(set).Is((fd, In));
        m.WriteCount(resume);
        m.Join(child);
        m.Wait(set).IsEmpty();
    });
}
