namespace Weir.Conformance.Rules;

/// <summary>Sets in sets.</summary>
public sealed class NestingTests : ConformanceTests
{
    private const EpollEvents Level = 0;

    [Fact, Rule(48)]
    public void A_set_is_readable_while_something_in_it_is_ready_and_never_writable() => Run(m =>
    {
        Fd outer = m.Epoll(), inner = m.Epoll(), fd = m.EventFd();
        m.Poll(inner).Is(0);
        m.Add(inner, fd, In);
        m.Add(outer, inner, In | Out | Pri | RdHup);
        m.Poll(inner).Is(0);
        m.Wait(outer).IsEmpty();
        m.WriteCount(fd);
        m.Poll(inner).Is(In);
        m.Wait(outer).Is((inner, In));
        Fd writable = m.Epoll();
        m.Add(writable, inner, Out);
        m.Wait(writable).IsEmpty();
    });

    [Fact, Rule(48)]
    public void What_a_set_has_queued_is_polled_again() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        m.WriteCount(fd);
        m.Poll(set).Is(In);
        m.ReadCount(fd).Is(1);
        m.Poll(set).Is(0);
        m.WriteCount(fd);
        m.Poll(set).Is(In);
    });

    [Fact, Rule(49)]
    public void Reporting_the_inner_set_consumes_nothing_in_it() => Run(m =>
    {
        Fd outer = m.Epoll(), inner = m.Epoll(), fd = m.EventFd();
        m.Add(inner, fd, In | EdgeTriggered);
        m.Add(outer, inner, In);
        m.WriteCount(fd);
        m.Wait(outer).Is((inner, In));
        m.Wait(outer).Is((inner, In));
        m.Wait(inner).Is((fd, In));
        m.Wait(outer).IsEmpty();
    });

    [Theory, Rule(49)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void An_outer_edge_comes_with_every_activity_inside(EpollEvents mode) => Run(m =>
    {
        Fd outer = m.Epoll(), inner = m.Epoll(), fd = m.EventFd(), ready = m.EventFd(1);
        m.Add(inner, fd, In | mode);
        m.Add(outer, inner, In | EdgeTriggered);
        for (int i = 0; i < 3; i++)
        {
            m.WriteCount(fd);
            m.Wait(outer).Is((inner, In));
            m.Wait(outer).IsEmpty();
        }

        m.Add(inner, ready, In | mode);
        m.Wait(outer).Is((inner, In));
        m.Wait(outer).IsEmpty();
    });

    [Theory, Rule(50)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void When_the_activity_inside_is_gone_the_outer_set_is_quiet(EpollEvents mode) => Run(m =>
    {
        Fd outer = m.Epoll(), inner = m.Epoll(), fd = m.EventFd();
        m.Add(inner, fd, In);
        m.Add(outer, inner, In | mode);
        m.WriteCount(fd);
        m.ReadCount(fd).Is(1);
        m.Wait(outer).IsEmpty();
        m.WriteCount(fd);
        m.Wait(outer).Is((inner, In));
        m.ReadCount(fd).Is(1);
        m.Wait(outer).IsEmpty();
    });

    // Older kernels count a chain differently depending on the end at which it grows.
    [SinceFact(6, 18), Rule(51)]
    public void A_chain_has_five_sets_at_most_whichever_way_it_is_built() => Run(m =>
    {
        Fd[] inward = [.. Enumerable.Range(0, 6).Select(_ => m.Epoll())];
        for (int i = 0; i < 4; i++)
            m.Add(inward[i], inward[i + 1], In).Is(0);
        m.Add(inward[4], inward[5], In).Is(ELOOP);

        Fd[] outward = [.. Enumerable.Range(0, 6).Select(_ => m.Epoll())];
        for (int i = 4; i > 0; i--)
            m.Add(outward[i], outward[i + 1], In).Is(0);
        m.Add(outward[0], outward[1], In).Is(ELOOP);

        Fd[] halves = [.. Enumerable.Range(0, 6).Select(_ => m.Epoll())];
        foreach (int i in (int[])[0, 1, 3, 4])
            m.Add(halves[i], halves[i + 1], In).Is(0);
        m.Add(halves[2], halves[3], In).Is(ELOOP);
    });

    [Fact, Rule(51)]
    public void A_file_at_the_end_of_the_longest_chain_is_heard_of_at_its_head() => Run(m =>
    {
        Fd[] chain = [.. Enumerable.Range(0, 5).Select(_ => m.Epoll())];
        Fd fd = m.EventFd();
        for (int i = 0; i < 4; i++)
            m.Add(chain[i], chain[i + 1], In | EdgeTriggered).Is(0);
        m.Add(chain[4], fd, In).Is(0);
        m.WriteCount(fd);
        for (int i = 0; i < 4; i++)
            m.Wait(chain[i]).Is((chain[i + 1], In));
        m.Wait(chain[4]).Is((fd, In));
    });

    [Fact, Rule(52)]
    public void Circles_are_refused() => Run(m =>
    {
        Fd a = m.Epoll(), b = m.Epoll(), c = m.Epoll();
        m.Add(a, b, In).Is(0);
        m.Add(b, a, In).Is(ELOOP);
        m.Add(b, c, In).Is(0);
        m.Add(c, a, In).Is(ELOOP);
        m.Del(a, b).Is(0);
        m.Add(c, a, In).Is(0);
    });

    [Fact, Rule(52)]
    public void Closing_the_inner_set_removes_it() => Run(m =>
    {
        Fd outer = m.Epoll(), inner = m.Epoll(), fd = m.EventFd(1);
        m.Add(inner, fd, In);
        m.Add(outer, inner, In);
        m.Wait(outer).Is((inner, In));
        m.Close(inner);
        m.Wait(outer).IsEmpty();
        m.Del(outer, inner).Is(EBADF);
        // Nothing of it is left to make a circle with.
        Fd next = m.Epoll();
        m.Add(next, outer, In).Is(0);
    });

    [Theory, Rule(53)]
    [InlineData(2, 500)]
    [InlineData(3, 100)]
    [InlineData(4, 50)]
    [InlineData(5, 10)]
    public void The_ways_by_which_a_file_can_wake_are_limited_for_each_length(int length, int limit) => Run(m =>
    {
        Fd fd = m.EventFd();
        Fd head = m.Epoll();
        m.Add(head, fd, In).Is(0);
        for (int i = 0; i < length - 2; i++)
        {
            Fd next = m.Epoll();
            m.Add(next, head, In).Is(0);
            head = next;
        }

        for (int i = 0; i < limit - 1; i++)
            m.Add(m.Epoll(), head, In).Is(0);
        Fd last = m.Epoll(), surplus = m.Epoll();
        m.Add(last, head, In).Is(0);
        m.Add(surplus, head, In).Is(EINVAL);
        m.Del(last, head).Is(0);
        m.Add(surplus, head, In).Is(0);
    });

    [Fact, Rule(53)]
    public void Ways_of_length_1_are_not_limited() => Run(m =>
    {
        Fd fd = m.EventFd();
        for (int i = 0; i < 600; i++)
            m.Add(m.Epoll(), fd, In).Is(0);
    });
}
