namespace Weir.Conformance.Rings;

/// <summary>What requests have in common: cancelling, timeouts, links, completions that are not asked for.</summary>
public sealed unsafe class RingRequestTests : RingProgramTests
{
    [Fact]
    public void Cancelling() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            Fd one = m.EventFd(), two = m.EventFd();
            (Fd a, Fd b) = m.SocketPair();
            byte* buffer = ring.Memory(64);
            ring.Poll(one, In, 1);
            ring.Poll(one, In, 2, multishot: true);
            ring.Poll(two, In, 2);
            ring.Receive(a, buffer, 16, 3);
            ring.Receive(a, buffer + 16, 16, 3);
            ring.Timeout(100_000, 4);
            ring.Submit();
            ring.Cancel(AsyncCancelFlags.None, 77, null, 100);
            ring.Cancel(AsyncCancelFlags.All, 77, null, 101);
            ring.Cancel(AsyncCancelFlags.Descriptor, 0, b, 102);
            ring.Cancel(AsyncCancelFlags.Descriptor, 0, null, 103);
            ring.Cancel(AsyncCancelFlags.Descriptor | AsyncCancelFlags.Any, 0, a, 104);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Cancel(AsyncCancelFlags.None, 1, null, 110);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Cancel(AsyncCancelFlags.All, 2, null, 111);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Cancel(AsyncCancelFlags.Descriptor | AsyncCancelFlags.All, 0, a, 112);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Cancel(AsyncCancelFlags.None, 4, null, 113);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Poll(one, In, 5);
            ring.Poll(two, In, 6);
            ring.Timeout(100_000, 7);
            ring.Cancel(AsyncCancelFlags.Any, 0, null, 114);
            ring.Submit();
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Poll(one, In, 8);
            ring.Submit();
            ring.CancelNow(AsyncCancelFlags.None, 8);
            ring.CancelNow(AsyncCancelFlags.None, 8);
            ring.CancelNow(AsyncCancelFlags.Any, 0);
            ring.GetEvents();
            ring.Completions();
            ring.Close();
        }
    });

    [Fact]
    public void What_has_been_woken_is_cancelled_all_the_same() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd one = m.EventFd();
        (Fd a, Fd b) = m.SocketPair();
        ring.Poll(one, In, 1);
        ring.Receive(a, ring.Memory(16), 16, 2);
        ring.Submit();
        m.WriteCount(one);
        m.Send(b, 1);
        ring.Cancel(AsyncCancelFlags.None, 1, null, 10);
        ring.Cancel(AsyncCancelFlags.None, 2, null, 20);
        ring.RemovePoll(1, 30);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        m.Receive(a, 4).Is(1);
    });

    [Fact]
    public void A_partial_result_survives_cancelling() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, Fd b) = m.SocketPair();
        ring.Receive(a, ring.Memory(16), 16, 1, MessageFlags.WaitAll);
        ring.Submit();
        m.Send(b, 5);
        ring.GetEvents();
        ring.Expect();
        ring.Cancel(AsyncCancelFlags.None, 1, null, 2);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
    });

    [Fact]
    public void Timeouts() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            ring.Timeout(2, 1);
            ring.Submit();
            ring.WaitFor(5).Is(0); // a timeout ends a wait for more
            ring.Expect("1: ETIME");
            ring.Timeout(2, 2, flags: IoUringTimeoutFlags.Absolute);
            ring.Submit();
            ring.WaitFor(1).Is(0);
            ring.Expect("2: ETIME");
            ring.Timeout(100_000, 3, count: 2);
            ring.Submit();
            ring.Nop(10);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Nop(11);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Timeout(100_000, 4);
            ring.Submit();
            ring.RemoveTimeout(4, 20);
            ring.RemoveTimeout(5, 21);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Timeout(1, 5, flags: IoUringTimeoutFlags.Update);
            ring.Timeout(0, 6);
            ring.Submit();
            ring.WaitFor(2);
            ring.Completions();
            ring.Close();
        }
    });

    [Fact]
    public void Timeouts_that_count() => Run(m =>
    {
        MachineRing ring = m.Ring();
        ring.Timeout(100_000, 1, count: 3);
        ring.Timeout(100_000, 2, count: 1);
        ring.Timeout(100_000, 3, count: 2);
        ring.Timeout(100_000, 4);
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
        for (ulong i = 0; i < 4; i++)
        {
            ring.Nop(100 + i);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
        }
    });

    [Fact]
    public void A_timeout_is_moved() => Run(m =>
    {
        MachineRing ring = m.Ring();
        ring.Timeout(100_000, 1);
        ring.Submit();
        var time = (TimeSpec*)ring.Memory(sizeof(TimeSpec));
        *time = TimeSpec.FromNanoseconds(1_000_000);
        ref Submission entry = ref ring.Next(IoUringOp.TimeoutRemove, 2);
        entry.Address = 1;
        entry.Offset = (ulong)time;
        entry.OperationFlags = (uint)IoUringTimeoutFlags.Update;
        ring.Submit();
        ring.Completions();
        ring.WaitFor(1);
        ring.Completions();
    });

    [Fact]
    public void Links() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd a, Fd b) = m.SocketPair();
            ring.Next(IoUringOp.Nop, 1).Flags = SubmissionFlags.Link;
            ring.Next(IoUringOp.Nop, 2).Flags = SubmissionFlags.Link;
            ring.Nop(3);
            ring.Nop(4);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            // One that fails cancels those behind it.
            ring.Next(IoUringOp.Receive, 5, -1).Flags = SubmissionFlags.Link;
            ring.Next(IoUringOp.Nop, 6).Flags = SubmissionFlags.Link;
            ring.Nop(7);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            ring.Next(IoUringOp.Receive, 8, -1).Flags = SubmissionFlags.HardLink;
            ring.Nop(9);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            // A chain with a bad entry in it does not begin.
            ring.Next(IoUringOp.Nop, 10).Flags = SubmissionFlags.Link;
            ring.Next((IoUringOp)222, 11).Flags = SubmissionFlags.Link;
            ring.Nop(12);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            // And one whose first waits.
            ring.Poll(a, In, 13);
            ref Submission poll = ref ring.Next(IoUringOp.PollAdd, 14, a.Number);
            poll.OperationFlags = (uint)In;
            poll.Flags = SubmissionFlags.Link;
            ring.Nop(15);
            ring.Submit();
            ring.GetEvents();
            ring.Completions();
            m.Send(b, 1);
            ring.GetEvents();
            ring.Completions(sorted: true);
            ring.Close();
        }
    });

    [Fact]
    public void A_limit_to_what_is_in_front_of_it() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            (Fd a, Fd b) = m.SocketPair();
            byte* buffer = ring.Memory(16);
            var time = (TimeSpec*)ring.Memory(sizeof(TimeSpec));
            *time = TimeSpec.FromNanoseconds(2_000_000);
            Limited(ring, a, buffer, time, 1);
            ring.Submit();
            ring.WaitFor(2);
            ring.Completions(sorted: true);
            m.Send(b, 1);
            Limited(ring, a, buffer, time, 3);
            ring.Submit();
            ring.WaitFor(2);
            ring.Completions(sorted: true);
            *time = TimeSpec.FromNanoseconds(1_000_000_000);
            Limited(ring, a, buffer, time, 5);
            ring.Submit();
            m.Send(b, 1);
            ring.WaitFor(2);
            ring.Completions(sorted: true);
            ref Submission alone = ref ring.Next(IoUringOp.LinkTimeout, 7);
            alone.Address = (ulong)time;
            alone.Length = 1;
            ring.Submit();
            ring.Completions();
            ring.Close();
        }
    });

    private static void Limited(MachineRing ring, Fd fd, byte* buffer, TimeSpec* time, ulong data)
    {
        ref Submission receive = ref ring.Next(IoUringOp.Receive, data, fd.Number);
        receive.Address = (ulong)buffer;
        receive.Length = 16;
        receive.Flags = SubmissionFlags.Link;
        ref Submission limit = ref ring.Next(IoUringOp.LinkTimeout, data + 1);
        limit.Address = (ulong)time;
        limit.Length = 1;
    }

    [Fact]
    public void Success_is_not_told_if_it_is_not_asked_for() => Run(m =>
    {
        MachineRing ring = m.Ring();
        (Fd a, _) = m.SocketPair();
        ring.Next(IoUringOp.Nop, 1).Flags = SubmissionFlags.SkipSuccess;
        ring.Next(IoUringOp.Receive, 2, -1).Flags = SubmissionFlags.SkipSuccess;
        ref Submission poll = ref ring.Next(IoUringOp.PollAdd, 3, a.Number);
        poll.OperationFlags = (uint)Out;
        poll.Flags = SubmissionFlags.SkipSuccess;
        ref Submission multishot = ref ring.Next(IoUringOp.PollAdd, 4, a.Number);
        multishot.OperationFlags = (uint)Out;
        multishot.Length = (uint)PollAddFlags.Multishot;
        multishot.Flags = SubmissionFlags.SkipSuccess;
        ring.Submit();
        ring.GetEvents();
        ring.Completions();
    });
}
