namespace Weir.Conformance.Rules;

/// <summary>eventfd.</summary>
public sealed class CounterTests : ConformanceTests
{
    private const ulong Most = ulong.MaxValue - 1;

    [Fact, Rule(55)]
    public void Readable_above_0_and_writable_below_the_largest_value() => Run(m =>
    {
        Fd fd = m.EventFd();
        m.Poll(fd).Is(Out);
        m.WriteCount(fd).Is(8);
        m.Poll(fd).Is(In | Out);
        m.WriteCount(fd, Most - 2).Is(8);
        m.Poll(fd).Is(In | Out);
        m.WriteCount(fd).Is(8);
        m.Poll(fd).Is(In);
        m.ReadCount(fd).Is(Most);
        m.Poll(fd).Is(Out);
        m.Poll(m.EventFd(uint.MaxValue)).Is(In | Out);
    });

    [Fact, Rule(56)]
    public void A_value_too_large_is_an_error_and_one_without_room_is_not_taken() => Run(m =>
    {
        Fd fd = m.EventFd(1);
        m.WriteCount(fd, ulong.MaxValue).Is(EINVAL);
        m.WriteCount(fd, Most).Is(EAGAIN);
        m.WriteCount(fd, Most - 1).Is(8);
        m.WriteCount(fd, 0).Is(8);
        m.WriteCount(fd).Is(EAGAIN);
        m.ReadCount(fd).Is(Most);
        m.ReadCount(fd).Is(EAGAIN);
    });

    [Fact, Rule(56)]
    public void Buffers_under_8_bytes_are_refused() => Run(m =>
    {
        Fd fd = m.EventFd(1);
        m.Write(fd, 7).Is(EINVAL);
        m.Write(fd, 0).Is(EINVAL);
        m.Read(fd, 7).Is(EINVAL);
        m.Read(fd, 0).Is(EINVAL);
        m.Read(fd, 16).Is(8);
        m.Read(fd, 7).Is(EINVAL);
    });

    // Earlier kernels took the first 8 bytes.
    [SinceFact(6, 9), Rule(56)]
    public void Writing_more_than_8_bytes_is_refused() => Run(m =>
    {
        Fd fd = m.EventFd(1);
        m.Write(fd, 9).Is(EINVAL);
        m.Write(fd, 16).Is(EINVAL);
        m.ReadCount(fd).Is(1);
    });

    [Fact, Rule(57)]
    public void A_write_is_an_edge_for_readers_only_even_of_0() => Run(m =>
    {
        Fd readers = m.Epoll(), writers = m.Epoll(), fd = m.EventFd();
        m.Add(readers, fd, In | EdgeTriggered);
        m.Add(writers, fd, Out | EdgeTriggered);
        m.Wait(writers).Is((fd, Out));
        m.WriteCount(fd, 0);
        m.Wait(readers).IsEmpty(); // a wake, but nothing to read
        m.WriteCount(fd);
        m.Wait(readers).Is((fd, In));
        m.WriteCount(fd, 0);
        m.Wait(readers).Is((fd, In));
        m.Wait(writers).IsEmpty();
    });

    [Fact, Rule(57)]
    public void A_read_is_an_edge_for_writers_only() => Run(m =>
    {
        Fd readers = m.Epoll(), writers = m.Epoll(), both = m.Epoll(), fd = m.EventFd(2, semaphore: true);
        m.Add(readers, fd, In | EdgeTriggered);
        m.Add(writers, fd, Out | EdgeTriggered);
        m.Add(both, fd, In | Out | EdgeTriggered);
        m.Wait(readers).Is((fd, In));
        m.Wait(writers).Is((fd, Out));
        m.Wait(both).Is((fd, In | Out));
        m.ReadCount(fd).Is(1);
        m.Wait(readers).IsEmpty();
        m.Wait(writers).Is((fd, Out));
        m.Wait(both).Is((fd, In | Out));
        m.ReadCount(fd).Is(1);
        m.Wait(readers).IsEmpty();
        m.Wait(writers).Is((fd, Out));
        m.Wait(both).Is((fd, Out));
    });

    [Fact, Rule(57)]
    public void Calls_that_fail_wake_nobody() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(), full = m.EventFd();
        m.WriteCount(full, Most);
        m.Add(set, fd, In | Out | EdgeTriggered);
        m.Add(set, full, In | Out | EdgeTriggered);
        m.Wait(set).Is((fd, Out), (full, In));
        m.ReadCount(fd).Is(EAGAIN);
        m.Read(fd, 4).Is(EINVAL);
        m.Write(fd, 4).Is(EINVAL);
        m.WriteCount(full).Is(EAGAIN);
        m.WriteCount(full, ulong.MaxValue).Is(EINVAL);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(58)]
    public void A_semaphore_gives_1_at_a_time_and_no_edge_to_readers() => Run(m =>
    {
        Fd readers = m.Epoll(), both = m.Epoll(), fd = m.EventFd(semaphore: true);
        m.Add(readers, fd, In | EdgeTriggered);
        m.Add(both, fd, In | Out | EdgeTriggered);
        m.WriteCount(fd, 3);
        m.Wait(readers).Is((fd, In));
        m.Wait(both).Is((fd, In | Out));
        m.ReadCount(fd).Is(1);
        m.Poll(fd).Is(In | Out);
        m.Wait(readers).IsEmpty();
        m.Wait(both).Is((fd, In | Out));
        m.ReadCount(fd).Is(1);
        m.ReadCount(fd).Is(1);
        m.ReadCount(fd).Is(EAGAIN);
    });
}
