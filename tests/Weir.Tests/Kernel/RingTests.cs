namespace Weir.Tests;

/// <summary>The ring as a kernel object, on the real kernel.</summary>
[Collection(Alone.Name)]
public sealed unsafe class RingTests : IDisposable
{
    private const IoUringSetupFlags Deferred = IoUringSetupFlags.SingleIssuer | IoUringSetupFlags.DeferTaskRun | IoUringSetupFlags.TaskRunFlag;

    private readonly TestDescriptors _fds = new();

    public static TheoryData<IoUringSetupFlags> Modes { get; } =
    [
        IoUringSetupFlags.None,
        IoUringSetupFlags.CooperativeTaskRun | IoUringSetupFlags.TaskRunFlag | IoUringSetupFlags.SingleIssuer,
        Deferred,
        Deferred | IoUringSetupFlags.NoSubmissionArray,
    ];

    public void Dispose() => _fds.Dispose();

    private static Ring Make(IoUringSetupFlags flags = IoUringSetupFlags.None, uint entries = 64, uint completions = 256)
        => Ring.Create(Kernel.Linux, entries, completions, flags);

    private static void Nop(Ring ring, ulong userData)
    {
        ref Submission entry = ref ring.Next();
        entry.Op = IoUringOp.Nop;
        entry.UserData = userData;
    }

    private static Completion Take(Ring ring)
    {
        while (ring.Ready == 0)
            Assert.InRange(ring.SubmitAndWait(10_000_000_000), 0, int.MaxValue);
        Completion completion = ring.Peek(0);
        ring.Advance(1);
        return completion;
    }

    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void A_nop_completes_with_its_user_data(IoUringSetupFlags flags)
    {
        using Ring ring = Make(flags);
        Nop(ring, 0xFEDC_BA98_7654_3210);
        Assert.Equal(1u, ring.Unsubmitted);
        Assert.Equal(1, ring.SubmitAndWait(-1));
        Assert.Equal((0u, 1u), (ring.Unsubmitted, ring.Ready));
        Completion completion = Take(ring);
        Assert.Equal((0xFEDC_BA98_7654_3210, 0), (completion.UserData, completion.Result));
        Assert.Equal(0u, ring.Ready);
    }

    [IoUringFact]
    public void The_probe_knows_what_this_kernel_can_do()
    {
        using Ring ring = Make();
        ring.Probe(out IoUringProbe probe);
        Assert.True(probe.Supports((int)IoUringOp.Nop));
        Assert.True(probe.Supports((int)IoUringOp.Read));
        Assert.True(probe.Supports((int)IoUringOp.Accept));
        Assert.False(probe.Supports(255));
        Assert.False(probe.Supports(-1));
        Assert.InRange(probe.LastOp, (byte)IoUringOp.EpollCtl, (byte)254);
    }

    [IoUringFact]
    public void An_operation_that_the_kernel_does_not_know_completes_with_EINVAL()
    {
        using Ring ring = Make();
        ref Submission entry = ref ring.Next();
        entry.Op = (IoUringOp)255;
        entry.UserData = 5;
        Nop(ring, 6);
        Assert.Equal(2, ring.Submit()); // SUBMIT_ALL: the next one is taken all the same
        Completion first = Take(ring), second = Take(ring);
        Assert.Equal((5ul, -(int)Errno.EINVAL), (first.UserData, first.Result));
        Assert.Equal((6ul, 0), (second.UserData, second.Result));
    }

    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void Ten_nops_go_in_one_call(IoUringSetupFlags flags)
    {
        var kernel = new CountingKernel();
        using Ring ring = Ring.Create(kernel, 64, 256, flags);
        for (ulong i = 0; i < 10; i++)
            Nop(ring, i);
        Assert.Equal(0, kernel.Count(nameof(Kernel.IoUringEnter)));
        Assert.Equal(10, ring.SubmitAndLook());
        Assert.Equal(1, kernel.Count(nameof(Kernel.IoUringEnter)));
        Assert.Equal(10u, ring.Ready);
        for (uint i = 0; i < 10; i++)
            Assert.Equal(i, ring.Peek(i).UserData);
        ring.Advance(10);
        Assert.Equal(0, ring.SubmitAndLook()); // nothing to do: no call
        Assert.Equal(1, kernel.Count(nameof(Kernel.IoUringEnter)));
    }

    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void A_full_queue_of_submissions_is_submitted_to_make_room(IoUringSetupFlags flags)
    {
        var kernel = new CountingKernel();
        using Ring ring = Ring.Create(kernel, 64, 256, flags);
        Assert.Equal(64u, ring.Capacity);
        for (ulong i = 0; i < 80; i++)
        {
            Assert.Equal(i != 64, ring.HasRoomFor(1));
            Nop(ring, i);
        }

        Assert.Equal(1, kernel.Count(nameof(Kernel.IoUringEnter)));
        Assert.Equal(16u, ring.Unsubmitted);
        Assert.Equal(16, ring.SubmitAndLook());
        for (ulong i = 0; i < 80; i++)
            Assert.Equal(i, Take(ring).UserData);
    }

    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void More_completions_than_fit_are_kept_by_the_kernel(IoUringSetupFlags flags)
    {
        using Ring ring = Make(flags, entries: 64, completions: 128);
        for (ulong i = 0; i < 256; i++)
            Nop(ring, i);
        ring.SubmitAndLook();
        Assert.Equal(128u, ring.Ready);
        Assert.True(ring.NeedsEntering);
        for (ulong i = 0; i < 256; i++)
        {
            if (ring.Ready == 0)
                ring.SubmitAndLook(); // brings out what was kept
            Assert.InRange(ring.Ready, 1u, 128u);
            Assert.Equal(i, ring.Peek(0).UserData);
            ring.Advance(1);
        }

        Assert.Equal((0u, 0u), (ring.Ready, ring.Lost));
        Nop(ring, 1000); // and it goes on
        Assert.Equal(1000ul, Take(ring).UserData);
    }

    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void A_poll_completes_when_an_eventfd_is_written_to(IoUringSetupFlags flags)
    {
        using Ring ring = Make(flags);
        int fd = _fds.EventFd();
        ref Submission entry = ref ring.Next();
        entry.Op = IoUringOp.PollAdd;
        entry.Descriptor = fd;
        entry.OperationFlags = (uint)EpollEvents.In;
        entry.UserData = 9;
        Assert.Equal(1, ring.SubmitAndLook());
        Assert.Equal(0u, ring.Ready);
        Assert.Equal(-(int)Errno.ETIME, ring.SubmitAndWait(1));
        if (ring.TakesDeadlines)
            Assert.Equal(-(int)Errno.ETIME, ring.SubmitAndWaitUntil(Kernel.Linux.ClockGetTime(ClockId.Monotonic)));
        ulong one = 1;
        Assert.Equal(8, Kernel.Linux.Write(fd, &one, 8));
        Completion completion = Take(ring);
        Assert.Equal((9ul, EpollEvents.In), (completion.UserData, (EpollEvents)completion.Result & EpollEvents.In));
    }

    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void Bytes_go_through_a_pipe_and_back(IoUringSetupFlags flags)
    {
        using Ring ring = Make(flags);
        (int read, int write) = _fds.Pipe();
        // A pipe that is not ready is waited for only if it is not in O_NONBLOCK, which is the caller's wish to be told EAGAIN.
        Assert.Equal(0, Kernel.Linux.Fcntl(read, FcntlCommand.SetStatusFlags, 0));
        byte* sent = stackalloc byte[5] { 1, 2, 3, 4, 5 };
        byte* received = stackalloc byte[8];
        ref Submission get = ref ring.Next();
        get.Op = IoUringOp.Read;
        get.Descriptor = read;
        get.Address = (ulong)received;
        get.Length = 8;
        get.Offset = ulong.MaxValue;
        get.UserData = 1;
        Assert.Equal(1, ring.SubmitAndLook());
        Assert.Equal(0u, ring.Ready);
        ref Submission put = ref ring.Next();
        put.Op = IoUringOp.Write;
        put.Descriptor = write;
        put.Address = (ulong)sent;
        put.Length = 5;
        put.Offset = ulong.MaxValue;
        put.UserData = 2;
        Completion[] both = [Take(ring), Take(ring)];
        Assert.Equal([(1ul, 5), (2ul, 5)], both.Select(c => (c.UserData, c.Result)).Order());
        Assert.Equal([1, 2, 3, 4, 5], new ReadOnlySpan<byte>(received, 5).ToArray());
    }

    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void What_is_cancelled_and_waited_for_completes_with_ECANCELED(IoUringSetupFlags flags)
    {
        using Ring ring = Make(flags);
        int fd = _fds.EventFd();
        foreach (ulong userData in new ulong[] { 7, 8 })
        {
            ref Submission entry = ref ring.Next();
            entry.Op = IoUringOp.PollAdd;
            entry.Descriptor = fd;
            entry.OperationFlags = (uint)EpollEvents.In;
            entry.UserData = userData;
        }

        Assert.Equal(2, ring.SubmitAndLook());
        Assert.Equal(-(int)Errno.ENOENT, ring.CancelNow(AsyncCancelFlags.None, userData: 6));
        Assert.InRange(ring.CancelNow(AsyncCancelFlags.None, userData: 7), 0, 1);
        Completion completion = Take(ring);
        Assert.Equal((7ul, -(int)Errno.ECANCELED), (completion.UserData, completion.Result));
        Assert.InRange(ring.CancelNow(AsyncCancelFlags.Any | AsyncCancelFlags.All), 0, 1);
        completion = Take(ring);
        Assert.Equal((8ul, -(int)Errno.ECANCELED), (completion.UserData, completion.Result));
    }

    [IoUringFact]
    public void What_the_kernel_refused_to_take_can_be_taken_back()
    {
        var kernel = new CountingKernel();
        using Ring ring = Ring.Create(kernel, 8, 16, IoUringSetupFlags.None);
        for (ulong i = 0; i < 3; i++)
            Nop(ring, i);
        kernel.FailNext(nameof(Kernel.IoUringEnter), Errno.EBADF);
        Assert.Equal(-(int)Errno.EBADF, ring.Submit());
        Assert.Equal(3u, ring.Unsubmitted);
        Assert.Equal(2ul, ring.TakeBack());
        Assert.Equal(1ul, ring.TakeBack());
        Assert.Equal(1, ring.SubmitAndLook());
        Assert.Equal((1u, 0ul), (ring.Ready, ring.Peek(0).UserData));
    }

    // A ring that is disposed of with a loan: the kernel keeps the memory of the rings alive by itself.
    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void A_ring_given_back_leaves_no_descriptor_and_no_mapping_behind(IoUringSetupFlags flags)
    {
        Use(flags);
        int descriptors = Rings(), mappings = Mappings();
        for (int i = 0; i < 20; i++)
            Use(flags); // twenty: more than the 16 places for registered rings that a thread has
        Assert.Equal((descriptors, mappings), (Rings(), Mappings()));

        void Use(IoUringSetupFlags flags)
        {
            using Ring ring = Make(flags);
            using var buffers = new BufferRing(Kernel.Linux, ring, 1, 4, 4096, 4);
            ref Submission entry = ref ring.Next();
            entry.Op = IoUringOp.PollAdd; // and with something in progress
            entry.Descriptor = _fds.EventFd();
            entry.OperationFlags = (uint)EpollEvents.In;
            ring.Submit();
        }

        static int Rings() => Directory.EnumerateFiles("/proc/self/fd").Count(fd => new FileInfo(fd).LinkTarget == "anon_inode:[io_uring]");

        static int Mappings() => File.ReadLines("/proc/self/maps").Count(line => line.Contains("io_uring"));
    }

    [IoUringFact]
    public void A_ring_that_cannot_be_mapped_is_closed_again()
    {
        foreach (int later in new[] { 0, 1 })
        {
            var kernel = new FailingMapKernel(later);
            KernelException failure = Assert.Throws<KernelException>(() => Ring.Create(kernel, 8, 16, IoUringSetupFlags.None));
            Assert.Equal(("mmap", Errno.ENOMEM), (failure.Call, failure.Errno));
            Assert.Empty(kernel.OpenNow);
            Assert.Equal(kernel.Count(nameof(Kernel.MMap)) - 1, kernel.Count(nameof(Kernel.MUnmap)));
        }
    }

    private sealed class FailingMapKernel(int later) : LedgerKernel
    {
        private int _later = later;

        protected override void OnCall(string call)
        {
            if (call == nameof(MMap) && _later-- == 0)
                FailNext(call, Errno.ENOMEM);
        }
    }

    [IoUringTheory]
    [MemberData(nameof(Modes))]
    public void Buffers_are_picked_as_data_arrives_and_offered_again(IoUringSetupFlags flags)
    {
        using Ring ring = Make(flags);
        using var buffers = new BufferRing(Kernel.Linux, ring, 3, 2, 64, 2);
        Assert.Equal((2, 64), (buffers.Count, buffers.Size));
        (int left, int right) = _fds.SocketPair();
        var seen = new HashSet<int>();
        byte* sent = stackalloc byte[3];
        for (byte round = 1; round <= 10; round++)
        {
            (sent[0], sent[1], sent[2]) = (round, 0, round);
            Assert.Equal(3, Kernel.Linux.Write(left, sent, 3));
            Receive(ring, right);
            Completion completion = Take(ring);
            Assert.Equal(3, completion.Result);
            Assert.True((completion.Flags & CompletionFlags.Buffer) != 0);
            Assert.Equal([round, 0, round], new ReadOnlySpan<byte>(buffers.At(completion.BufferId), 3).ToArray());
            seen.Add(completion.BufferId);
            buffers.Offer(completion.BufferId);
        }

        Assert.Equal([0, 1], seen.Order()); // in turn
    }

    [IoUringFact]
    public void Without_a_buffer_left_a_receive_ends_with_ENOBUFS()
    {
        using Ring ring = Make();
        using var buffers = new BufferRing(Kernel.Linux, ring, 3, 1, 64, 1);
        (int left, int right) = _fds.SocketPair();
        byte* sent = stackalloc byte[1];
        Kernel.Linux.Write(left, sent, 1);
        Receive(ring, right);
        int taken = Take(ring).BufferId;
        Kernel.Linux.Write(left, sent, 1);
        Receive(ring, right);
        Assert.Equal(-(int)Errno.ENOBUFS, Take(ring).Result);
        buffers.Offer(taken);
        Receive(ring, right);
        Assert.Equal(1, Take(ring).Result);
    }

    [IoUringFact]
    public void A_group_can_be_registered_once_and_again_after_it_was_given_back()
    {
        using Ring ring = Make();
        var first = new BufferRing(Kernel.Linux, ring, 3, 4, 64, 4);
        KernelException failure = Assert.Throws<KernelException>(() => new BufferRing(Kernel.Linux, ring, 3, 4, 64, 4));
        Assert.Equal(Errno.EEXIST, failure.Errno);
        first.Dispose();
        new BufferRing(Kernel.Linux, ring, 3, 4, 64, 4).Dispose();
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => new BufferRing(Kernel.Linux, ring, 3, 3, 64, 3)).Errno); // no power of two
    }

    private static void Receive(Ring ring, int fd)
    {
        ref Submission entry = ref ring.Next();
        entry.Op = IoUringOp.Receive;
        entry.Flags = SubmissionFlags.BufferSelect;
        entry.Descriptor = fd;
        entry.BufferGroup = 3;
    }
}
