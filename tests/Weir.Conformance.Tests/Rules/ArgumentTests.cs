namespace Weir.Conformance.Rules;

/// <summary>Errors, and what is checked before what.</summary>
public sealed unsafe class ArgumentTests : ConformanceTests
{
    private const EpollEvents Nothing = 0;
    private const EpollEvents Unknown = (EpollEvents)0x0800_4000;
    private const int UnknownOp = 99;

    [Fact, Rule(1)]
    public void Creating_a_set_with_unknown_flags_is_refused() => Run(m =>
    {
        m.Call("epoll_create1(1)", m.Kernel.EpollCreate1((FileFlags)1)).Is(EINVAL);
        m.Call("epoll_create1(NONBLOCK)", m.Kernel.EpollCreate1(FileFlags.NonBlock)).Is(EINVAL);
        m.Call("epoll_create1(-1)", m.Kernel.EpollCreate1((FileFlags)(-1))).Is(EINVAL);
    });

    [Fact, Rule(1)]
    public void Creating_a_set_of_size_0_is_refused() => Run(m =>
    {
        m.EpollOfSize(0).Is(EINVAL);
        m.EpollOfSize(-1).Is(EINVAL);
        m.EpollOfSize(int.MinValue).Is(EINVAL);
        m.EpollOfSize(1).Is(0);
        m.EpollOfSize(int.MaxValue).Is(0);
    });

    [Fact, Rule(2)]
    public void A_descriptor_is_registered_once_and_its_duplicates_too() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(), other = m.EventFd();
        m.Add(set, fd, In).Is(0);
        m.Add(set, fd, In).Is(EEXIST);
        m.Add(set, fd, Out | EdgeTriggered).Is(EEXIST);
        m.Add(set, m.Dup(fd), In).Is(0);
        m.Mod(set, other, In).Is(ENOENT);
        m.Del(set, other).Is(ENOENT);
        m.Del(set, fd).Is(0);
        m.Del(set, fd).Is(ENOENT);
        m.Mod(set, fd, In).Is(ENOENT);
    });

    [Fact, Rule(3)]
    public void The_event_is_fetched_before_anything_is_checked() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(), closed = m.EventFd(), file = m.Unpollable(UnpollableFile.Regular);
        m.Close(closed);
        foreach (int op in (int[])[(int)EpollOp.Add, (int)EpollOp.Modify, UnknownOp])
        {
            m.Control(op, set, fd, null, "null").Is(EFAULT);
            m.Control(op, closed, fd, null, "null").Is(EFAULT);
            m.Control(op, set, closed, null, "null").Is(EFAULT);
            m.Control(op, set, file, null, "null").Is(EFAULT);
            m.Control(op, set, set, m.FaultingBuffer(0), "unmapped").Is(EFAULT);
            m.Control(op, set, fd, m.FaultingBuffer(4), "half unmapped").Is(EFAULT);
        }

        m.Control((int)EpollOp.Delete, set, fd, null, "null").Is(ENOENT);
        m.Control((int)EpollOp.Delete, closed, fd, null, "null").Is(EBADF);
    });

    [Fact, Rule(3)]
    public void Closed_descriptors_come_before_files_that_cannot_be_polled() => Run(m =>
    {
        Fd set = m.Epoll(), counter = m.EventFd(), closed = m.EventFd(), file = m.Unpollable(UnpollableFile.Regular);
        m.Close(closed);
        m.Add(closed, file, In).Is(EBADF);
        m.Add(file, closed, In).Is(EBADF); // neither an epoll set
        m.Add(counter, closed, In).Is(EBADF);
        m.Add(set, closed, In).Is(EBADF);
        m.Del(set, closed).Is(EBADF);
        m.Mod(closed, closed, In).Is(EBADF);
        byte* entry = stackalloc byte[16];
        m.Control(UnknownOp, set, closed, entry, "event").Is(EBADF);
    });

    [Fact, Rule(3)]
    public void Files_that_cannot_be_polled_come_before_bad_sets_and_operations() => Run(m =>
    {
        Fd set = m.Epoll(), counter = m.EventFd(), file = m.Unpollable(UnpollableFile.Regular);
        m.Add(counter, file, In).Is(EPERM);
        m.Add(file, file, In).Is(EPERM);
        m.Add(set, file, In | Pri | Exclusive).Is(EPERM);
        m.Mod(set, file, In).Is(EPERM);
        m.Del(set, file).Is(EPERM);
        byte* entry = stackalloc byte[16];
        m.Control(UnknownOp, set, file, entry, "event").Is(EPERM);
    });

    [Fact, Rule(3)]
    public void Bad_sets_come_before_the_registration_is_looked_up() => Run(m =>
    {
        Fd set = m.Epoll(), counter = m.EventFd(), other = m.EventFd();
        m.Add(counter, other, In).Is(EINVAL);
        m.Mod(counter, other, In).Is(EINVAL);
        m.Del(counter, other).Is(EINVAL);
        m.Mod(set, set, In).Is(EINVAL);
        m.Del(set, set).Is(EINVAL);
    });

    [Fact, Rule(3)]
    public void Misused_exclusive_comes_before_a_loop_and_a_loop_before_all_that_is_left() => Run(m =>
    {
        Fd outer = m.Epoll(), inner = m.Epoll(), fd = m.EventFd();
        m.Add(outer, inner, In).Is(0);
        m.Add(inner, outer, In | Exclusive).Is(EINVAL);
        m.Add(inner, outer, In).Is(ELOOP);
        m.Add(outer, fd, In).Is(0);
        m.Add(outer, fd, In | Pri | Exclusive).Is(EINVAL);
        m.Add(outer, fd, In | Exclusive).Is(EEXIST);
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, In, 0);
        m.Control(UnknownOp, outer, fd, entry, "event").Is(EINVAL);
        m.Control(UnknownOp, inner, fd, entry, "event").Is(EINVAL);
        m.Control(0, outer, fd, entry, "event").Is(EINVAL);
    });

    [Fact, Rule(4)]
    public void A_set_does_not_watch_itself() => Run(m =>
    {
        Fd set = m.Epoll();
        m.Add(set, set, In).Is(EINVAL);
        // By another number it is the same file, found out by the same check.
        Fd copy = m.Dup(set);
        m.Add(set, copy, In).Is(EINVAL);
        m.Add(copy, set, In).Is(EINVAL);
    });

    [Theory, Rule(5)]
    [InlineData(UnpollableFile.Regular)]
    [InlineData(UnpollableFile.Directory)]
    [InlineData(UnpollableFile.Null)]
    [InlineData(UnpollableFile.Zero)]
    [InlineData(UnpollableFile.Memory)]
    public void Files_that_are_always_ready_cannot_be_registered(UnpollableFile kind) => Run(m =>
    {
        Fd set = m.Epoll(), file = m.Unpollable(kind);
        m.Add(set, file, In).Is(EPERM);
        m.Add(set, file, Nothing).Is(EPERM);
        m.Poll(file).Is(In | Out);
    });

    [Fact, Rule(5)]
    public void A_descriptor_for_a_path_only_counts_as_closed() => Run(m =>
    {
        Fd set = m.Epoll(), file = m.Unpollable(UnpollableFile.PathOnly);
        m.Add(set, file, In).Is(EBADF);
        m.Mod(set, file, In).Is(EBADF);
        m.Del(set, file).Is(EBADF);
        m.Wait(file).Is(EBADF);
    });

    // Linux 6.12 still judged maxevents and the buffer first.
    [SinceFact(6, 18), Rule(6)]
    public void A_closed_set_comes_before_the_number_of_events() => Run(m =>
    {
        Fd closed = m.Epoll(), counter = m.EventFd();
        m.Close(closed);
        m.Wait(closed, max: 0).Is(EBADF);
        m.Wait(closed, max: -1).Is(EBADF);
        m.Wait(closed).Is(EBADF);
        m.Wait(counter, max: 0).Is(EINVAL);
        m.Wait(counter).Is(EINVAL);
    });

    [Fact, Rule(7)]
    public void The_number_of_events_has_bounds() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In);
        int most = int.MaxValue / EpollEventLayout.Size; // 178956970 where an event has 12 bytes
        m.Wait(set, max: 0).Is(EINVAL);
        m.Wait(set, max: -1).Is(EINVAL);
        m.Wait(set, max: int.MinValue).Is(EINVAL);
        m.Wait(set, max: int.MaxValue).Is(EINVAL);
        m.Wait(set, max: most + 1).Is(EINVAL);
        m.Wait(set, max: most).Is((fd, In));
        m.WaitExactly(set, default, max: 0).Is(EINVAL);
        m.WaitExactly(set, default, max: most + 1).Is(EINVAL);
    });

    [Fact, Rule(8)]
    public void Events_that_cannot_be_stored_stay_queued() => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1), c = m.EventFd(1);
        m.Add(set, a, In | EdgeTriggered);
        m.Add(set, b, In | EdgeTriggered);
        m.Add(set, c, In | EdgeTriggered);
        m.WaitInto(set, 3, m.FaultingBuffer(0), "no room").Is(EFAULT);
        m.WaitInto(set, 3, m.FaultingBuffer(EpollEventLayout.Size), "room for one").Is((a, In));
        m.WaitInto(set, 2, m.FaultingBuffer(EpollEventLayout.Size + 4), "room for one and a bit").Is((b, In));
        m.Wait(set).Is((c, In));
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(8)]
    public void A_bad_buffer_is_no_error_while_nothing_is_ready() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        m.WaitInto(set, 1, m.FaultingBuffer(0), "no room").IsEmpty();
        m.WriteCount(fd);
        m.WaitInto(set, 1, m.FaultingBuffer(0), "no room").Is(EFAULT);
        m.Wait(set).Is((fd, In));
    });

    [Theory, Rule(9)]
    [InlineData(-1)]
    [InlineData(-5)]
    [InlineData(int.MinValue)]
    public void Any_negative_timeout_is_for_ever(int timeout) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        MachineThread thread = m.StartBlocked("waiter", () => m.Wait(set, timeout).Is((fd, In)));
        m.Sleep(20);
        m.ExpectBlocked(thread);
        m.WriteCount(fd);
        m.Join(thread);
    });

    [Theory, Rule(9)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(15)]
    public void A_timeout_is_never_early(int milliseconds) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In);
        long start = m.Now;
        m.Wait(set, milliseconds).IsEmpty();
        m.ExpectNotEarly(start, milliseconds);
        start = m.Now;
        m.WaitExactly(set, TimeSpec.FromNanoseconds(milliseconds * 1_000_000L)).IsEmpty();
        m.ExpectNotEarly(start, milliseconds);
        m.Poll(fd, In, milliseconds).Is(Nothing);
        m.ExpectNotEarly(start, 2 * milliseconds);
    });

    [SinceFact(5, 11), Rule(10)]
    public void A_time_that_is_none_is_refused() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In);
        m.WaitExactly(set, new TimeSpec { Nanoseconds = 1_000_000_000 }).Is(EINVAL);
        m.WaitExactly(set, new TimeSpec { Nanoseconds = -1 }).Is(EINVAL);
        m.WaitExactly(set, new TimeSpec { Seconds = -1 }).Is(EINVAL);
        m.WaitExactly(set, new TimeSpec { Nanoseconds = 999_999_999 }).Is((fd, In));
        m.WaitExactly(set, new TimeSpec { Seconds = long.MaxValue, Nanoseconds = 999_999_999 }).Is((fd, In));
    });

    [SinceFact(5, 11), Rule(10)]
    public void A_set_of_signals_of_another_size_is_refused() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In);
        foreach (int size in (int[])[0, 4, 7, 9, 16, 128])
            m.WaitWithSet(set, size).Is(EINVAL);
        m.WaitWithSet(set, 8).Is((fd, In));
    });

    [Fact, Rule(13)]
    public void Unknown_bits_are_accepted_and_never_reported() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In | Unknown).Is(0);
        m.Wait(set).Is((fd, In));
        m.Mod(set, fd, Unknown).Is(0);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(13)]
    public void An_empty_interest_still_hears_of_errors_and_hang_ups() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd read, Fd write) = m.Pipe();
        (Fd deaf, Fd other) = m.Pipe();
        m.Add(set, read, Nothing).Is(0);
        m.Add(set, other, In).Is(0);
        m.Mod(set, other, Nothing).Is(0);
        m.Write(write).Is(1);
        m.Wait(set).IsEmpty();
        m.Close(write);
        m.Wait(set).Is((read, Hup));
        m.Close(deaf);
        m.Wait(set).Is((read, Hup), (other, Err));
    });

    [Fact, Rule(13)]
    public void Half_closing_and_urgent_data_are_reported_only_if_asked_for() => Run(m =>
    {
        Fd set = m.Epoll(), asking = m.Epoll();
        (Fd a, Fd b) = m.TcpPair();
        m.Add(set, a, In);
        m.Add(asking, a, In | Pri | RdHup);
        m.Send(b, 1, MessageFlags.OutOfBand).Is(1);
        m.Settle();
        m.Wait(set).IsEmpty();
        m.Wait(asking).Is((a, Pri));
        m.Shutdown(b, ShutdownHow.Write).Is(0);
        m.Settle();
        m.Wait(set).Is((a, In));
        m.Wait(asking).Is((a, In | Pri | RdHup));
    });

    [Fact, Rule(14)]
    public void A_set_is_neither_read_nor_written() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In);
        m.Read(set, 16).Is(EINVAL);
        m.Write(set, 16).Is(EINVAL);
        m.Wait(set).Is((fd, In));
    });
}
