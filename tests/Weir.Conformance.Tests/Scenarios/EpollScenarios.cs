namespace Weir.Conformance.Scenarios;

/// <summary>What can be said about epoll without blocking: each once edge-triggered and once level-triggered.</summary>
public sealed class EpollScenarios : ConformanceTests
{
    private const EpollEvents Level = 0;
    private const EpollEvents All = In | Out | RdHup;

    public static TheoryData<EpollEvents> Modes => [EdgeTriggered, Level];

    [Theory, MemberData(nameof(Modes))]
    public void A_pair_notifies_of_every_write_and_of_the_end(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Write(b, 5).Is(5);
        m.Add(set, a, All | mode).Is(0);
        m.Wait(set).Is((a, In | Out));
        m.Write(b, 5).Is(5);
        m.Wait(set).Is((a, In | Out));
        m.Wait(set).Is(mode == Level ? [(a, In | Out)] : []);
        m.Close(b);
        m.Wait(set).Is((a, In | Out | RdHup | Hup));
        m.Wait(set).Is(mode == Level ? [(a, In | Out | RdHup | Hup)] : []);
    });

    [Theory, MemberData(nameof(Modes))]
    public void Both_ends_of_a_pair_are_watched_at_once(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All | mode);
        m.Add(set, b, All | mode);
        m.Write(a, 3).Is(3);
        m.Wait(set).Is((a, Out), (b, In | Out));
        m.Write(b, 3).Is(3);
        m.Wait(set).Is(mode == Level ? [(a, In | Out), (b, In | Out)] : [(a, In | Out)]);
    });

    [Theory, MemberData(nameof(Modes))]
    public void Reading_from_a_pair_makes_its_writer_writable_again(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All | mode);
        m.Add(set, b, All | mode);
        m.Write(a, 10).Is(10);
        m.Wait(set).Is((a, Out), (b, In | Out));
        m.Read(b, 4).Is(4);
        m.Wait(set).Is(mode == Level ? [(a, Out), (b, In | Out)] : []);
        m.Read(b, 6).Is(6);
        m.Wait(set).Is(mode == Level ? [(a, Out), (b, Out)] : [(a, Out)]);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_counter_notifies_of_writing_0_and_of_reading(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | Out | mode);
        m.Wait(set).Is((fd, Out));
        m.WriteCount(fd, 0);
        m.Wait(set).Is((fd, Out));
        m.WriteCount(fd, 3);
        m.Wait(set).Is((fd, In | Out));
        m.WriteCount(fd, 0);
        m.Wait(set).Is((fd, In | Out));
        m.ReadCount(fd).Is(3);
        m.Wait(set).Is((fd, Out));
        m.ReadCount(fd).Is(EAGAIN);
        m.Wait(set).Is(mode == Level ? [(fd, Out)] : []);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_later_state_replaces_the_event_that_was_not_fetched(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.WriteCount(fd);
        m.Add(set, fd, In | Out | RdHup | mode);
        m.ReadCount(fd).Is(1);
        m.Wait(set).Is((fd, Out));
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_file_that_is_not_fully_closed_goes_on_notifying(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        Fd copy = m.Dup(fd);
        m.Add(set, fd, In | Out | mode);
        m.Close(fd);
        m.Wait(set).Is((fd, Out));
        m.WriteCount(copy);
        m.Wait(set).Is((fd, In | Out));
        m.Close(copy);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_closed_file_notifies_no_more(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In | Out | mode);
        m.Close(fd);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void Two_sets_hear_of_one_file(EpollEvents mode) => Run(m =>
    {
        Fd one = m.Epoll(), two = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(one, a, All | mode);
        m.Add(two, a, All | mode);
        m.Write(b, 3).Is(3);
        m.Wait(one).Is((a, In | Out));
        m.Wait(two).Is((a, In | Out));
        m.Read(a, 3).Is(3);
        m.Wait(one).Is(mode == Level ? [(a, Out)] : []);
        m.Wait(two).Is(mode == Level ? [(a, Out)] : []);
    });

    [Theory, MemberData(nameof(Modes))]
    public void What_was_not_asked_for_is_not_notified_of(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, Out | mode);
        m.Wait(set).Is((a, Out));
        m.Write(b, 3).Is(3);
        m.Wait(set).Is(mode == Level ? [(a, Out)] : []);
        m.Mod(set, a, Pri | mode);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void Modifying_takes_the_newest_data_and_notifies_again(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, Out | mode, 1);
        m.Wait(set).Is((1, Out));
        m.Write(b, 3).Is(3);
        m.Mod(set, a, In | Out | mode, 2).Is(0);
        m.Wait(set).Is((2, In | Out));
        m.Mod(set, a, In | mode, 3).Is(0);
        m.Wait(set).Is((3, In));
        m.Wait(set).Is(mode == Level ? [(3, In)] : []);
    });

    [Theory, MemberData(nameof(Modes))]
    public void After_removal_nothing_is_notified(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All | mode);
        m.Write(b, 3).Is(3);
        m.Del(set, a).Is(0);
        m.Wait(set).IsEmpty();
        m.Write(b, 3).Is(3);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void One_file_under_two_numbers_notifies_twice(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        Fd copy = m.Dup(a);
        m.Add(set, a, All | mode);
        m.Add(set, copy, All | mode);
        m.Write(b, 3).Is(3);
        m.Wait(set).Is((a, In | Out), (copy, In | Out)); // both were queued when they were added
        m.Write(b, 3).Is(3);
        m.Wait(set).Is(mode == Level ? [(a, In | Out), (copy, In | Out)] : [(copy, In | Out), (a, In | Out)]);
    });

    [Theory, MemberData(nameof(Modes))]
    public void No_room_for_events_is_an_error_and_loses_none(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In | mode);
        m.Wait(set, max: 0).Is(EINVAL);
        m.Wait(set, max: -3).Is(EINVAL);
        m.Wait(set).Is((fd, In));
    });

    [Theory, MemberData(nameof(Modes))]
    public void An_error_is_notified_of_unasked(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, All | mode);
        m.Write(a, 3).Is(3);
        m.Close(b);
        m.Wait(set).Is((a, In | Out | RdHup | Hup | Err));
        m.Wait(set).Is(mode == Level ? [(a, In | Out | RdHup | Hup | Err)] : []);
        m.Read(a).Is(ECONNRESET);
        m.Wait(set).Is(mode == Level ? [(a, In | Out | RdHup | Hup)] : []);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_small_buffer_loses_no_event(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(), b = m.EventFd();
        m.Add(set, a, In | Out | mode);
        m.Add(set, b, In | Out | mode);
        m.Wait(set, max: 1).Is((a, Out));
        m.Wait(set, max: 1).Is((b, Out));
        m.Wait(set, max: 1).Is(mode == Level ? [(a, Out)] : []);
    });

    [Theory, MemberData(nameof(Modes))]
    public void The_head_of_the_ready_list_may_be_closed_before_it_is_fetched(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1);
        m.Add(set, a, In | mode);
        m.Add(set, b, In | mode);
        m.Close(a);
        m.Wait(set, max: 1).Is((b, In));
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_set_is_not_added_to_itself(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        m.Add(set, set, In | mode).Is(EINVAL);
        m.Mod(set, set, In | mode).Is(EINVAL);
        m.Del(set, set).Is(EINVAL);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_change_in_one_set_is_no_event_in_another(EpollEvents mode) => Run(m =>
    {
        Fd one = m.Epoll(), two = m.Epoll(), fd = m.EventFd();
        m.Add(one, fd, In | Out | mode);
        m.Wait(one).Is((fd, Out));
        m.Add(two, fd, In | Out | mode);
        m.Wait(one).Is(mode == Level ? [(fd, Out)] : []);
        m.Wait(two).Is((fd, Out));
        m.Mod(one, fd, In | Out | mode);
        m.Wait(two).Is(mode == Level ? [(fd, Out)] : []);
        m.Wait(one).Is((fd, Out));
    });

    [Theory, MemberData(nameof(Modes))]
    public void Modes_are_each_registrations_own(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1);
        m.Add(set, a, In | mode);
        m.Add(set, b, In | (mode ^ EdgeTriggered));
        m.Wait(set).Is((a, In), (b, In));
        m.Wait(set).Is(mode == Level ? [(a, In)] : [(b, In)]);
        m.WriteCount(a);
        m.WriteCount(b);
        m.Wait(set).Is(mode == Level ? [(a, In), (b, In)] : [(b, In), (a, In)]);
    });

    [Theory, MemberData(nameof(Modes))]
    public void The_mode_is_switched_by_modifying(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In | mode);
        m.Wait(set).Is((fd, In));
        m.Wait(set).Is(mode == Level ? [(fd, In)] : []);
        m.Mod(set, fd, In | (mode ^ EdgeTriggered));
        m.Wait(set).Is((fd, In));
        m.Wait(set).Is(mode == Level ? [] : [(fd, In)]);
    });

    [Theory, MemberData(nameof(Modes))]
    public void A_set_lives_on_by_its_duplicate(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd a, Fd b) = m.SocketPair();
        Fd copy = m.Dup(set);
        m.Add(set, a, All | mode);
        m.Close(set);
        m.Write(b, 3).Is(3);
        m.Wait(copy).Is((a, In | Out));
        m.Wait(set).Is(EBADF);
        m.Add(copy, b, All | mode).Is(0);
        m.Wait(copy).Is(mode == Level ? [(a, In | Out), (b, Out)] : [(b, Out)]);
    });

    [Theory, MemberData(nameof(Modes))]
    public void Readiness_that_is_withdrawn_is_not_notified_of(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | mode);
        m.WriteCount(fd);
        m.ReadCount(fd).Is(1);
        m.Wait(set).IsEmpty();
    });

    [Theory, MemberData(nameof(Modes))]
    public void Readiness_that_is_withdrawn_among_others_leaves_these_alone(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), other = m.EventFd();
        (Fd a, Fd b) = m.SocketPair();
        m.Add(set, a, In | mode);
        m.Add(set, other, In | mode);
        m.Write(b, 3).Is(3);
        m.WriteCount(other);
        m.Read(a, 3).Is(3);
        m.Wait(set, max: 1).Is((other, In));
        m.Wait(set).Is(mode == Level ? [(other, In)] : []);
    });
}
