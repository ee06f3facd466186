namespace Weir.Conformance.Rings;

/// <summary>The ring itself: setting up, submitting, entering.</summary>
public sealed class RingTests : RingProgramTests
{
    [Fact]
    public void Setting_up_checks_what_is_asked_for() => Run(m =>
    {
        m.TrySetup(8, 0, IoUringSetupFlags.None, out _).Is(0);
        m.TrySetup(5, 0, IoUringSetupFlags.None, out _).Is(0);
        m.TrySetup(0, 0, IoUringSetupFlags.None, out _).Is(EINVAL);
        m.TrySetup(32769, 0, IoUringSetupFlags.None, out _).Is(EINVAL);
        m.TrySetup(40000, 0, IoUringSetupFlags.Clamp, out _).Is(0);
        m.TrySetup(8, 0, IoUringSetupFlags.CompletionQueueSize, out _).Is(EINVAL);
        m.TrySetup(8, 4, IoUringSetupFlags.CompletionQueueSize, out _).Is(EINVAL);
        m.TrySetup(8, 8, IoUringSetupFlags.CompletionQueueSize, out _).Is(0);
        m.TrySetup(8, 100, IoUringSetupFlags.CompletionQueueSize, out _).Is(0);
        m.TrySetup(8, 70000, IoUringSetupFlags.CompletionQueueSize, out _).Is(EINVAL);
        m.TrySetup(8, 70000, IoUringSetupFlags.CompletionQueueSize | IoUringSetupFlags.Clamp, out _).Is(0);
        m.TrySetup(8, 0, IoUringSetupFlags.DeferTaskRun, out _).Is(EINVAL);
        m.TrySetup(8, 0, IoUringSetupFlags.TaskRunFlag, out _).Is(EINVAL);
        m.TrySetup(8, 0, Coop, out _).Is(0);
        m.TrySetup(8, 0, Machine.Deferring | IoUringSetupFlags.TaskRunFlag, out _).Is(0);
        m.TrySetup(8, 0, (IoUringSetupFlags)(1u << 30), out _).Is(EINVAL);
    });

    [Fact]
    public void A_nop_completes_at_once() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in (IoUringSetupFlags[])[IoUringSetupFlags.None, Coop, IoUringSetupFlags.SingleIssuer, Machine.Deferring])
        {
            MachineRing ring = m.Ring(flags);
            ring.Nop(1);
            ring.Nop(2);
            ring.Submit().Is(2);
            ring.Expect("1: 0", "2: 0");
            ring.WaitFor(0).Is(0);
            ring.Close();
        }
    });

    [Fact]
    public unsafe void An_unknown_operation_completes_with_EINVAL() => Run(m =>
    {
        MachineRing ring = m.Ring();
        ring.Next((IoUringOp)200, 1);
        ring.Next(IoUringOp.Nop, 2);
        ring.Submit().Is(2);
        ring.Expect("1: EINVAL", "2: 0");
        ring.Inner.Probe(out IoUringProbe probe);
        m.Expect(!probe.Supports(255), "operation 255 is unknown");
        foreach (IoUringOp op in Enum.GetValues<IoUringOp>())
        {
            if (op is not (IoUringOp.FilesUpdate or IoUringOp.SendMessageZeroCopy))
                m.Expect(probe.Supports((int)op), $"{op} is known");
        }

        m.Note($"last {probe.LastOp}, count {probe.Count}");
    });

    [Fact]
    public void Without_SUBMIT_ALL_a_bad_entry_ends_the_submission() => Run(m =>
    {
        // The wrapper always asks for it, so the flag is looked at from the other side: all are taken.
        MachineRing ring = m.Ring();
        for (ulong i = 0; i < 6; i++)
            ring.Next(i % 2 == 0 ? IoUringOp.Nop : (IoUringOp)250, i);
        ring.Submit().Is(6);
        ring.Expect("0: 0", "1: EINVAL", "2: 0", "3: EINVAL", "4: 0", "5: EINVAL");
    });

    [Fact]
    public void More_than_there_is_room_for_are_submitted_on_the_way() => Run(m =>
    {
        MachineRing ring = m.Ring(entries: 64);
        for (ulong i = 0; i < 80; i++)
            ring.Nop(i);
        ring.Submit().Is(16);
        ring.Ready().Is(80);
        Completed[] all = ring.Completions();
        m.Expect(all.Select((completed, i) => completed.Data == (ulong)i).All(same => same), "in order");
    });

    [Fact]
    public void Completions_without_room_are_kept_until_the_ring_is_entered() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in (IoUringSetupFlags[])[IoUringSetupFlags.None, Machine.Deferring])
        {
            MachineRing ring = m.Ring(flags, entries: 64, completions: 64);
            for (ulong i = 0; i < 256; i++)
                ring.Nop(i);
            ring.Submit();
            ring.Ready().Is(64);
            ring.NeedsEntering().Is(1);
            ulong next = 0;
            for (int round = 0; round < 4; round++)
            {
                foreach (Completed completed in ring.Take())
                    m.Expect(completed.Data == next++, $"number {next}");
                ring.Ready().Is(0);
                ring.GetEvents().Is(0);
            }

            m.Expect(next == 256, "all came");
            ring.NeedsEntering().Is(0);
            ring.Nop(999);
            ring.Submit().Is(1);
            ring.Expect("999: 0");
            ring.Close();
        }
    });

    [Fact]
    public void A_multishot_that_finds_no_room_ends() => Run(m =>
    {
        MachineRing ring = m.Ring(entries: 4, completions: 4);
        Fd fd = m.EventFd();
        ring.Poll(fd, In, 1, multishot: true);
        ring.Submit().Is(1);
        for (ulong i = 0; i < 4; i++)
            ring.Nop(100 + i);
        ring.Submit().Is(4);
        m.WriteCount(fd);
        ring.GetEvents().Is(0);
        ring.Completions();
        ring.GetEvents().Is(0);
        ring.Completions();
        ring.Cancel(AsyncCancelFlags.None, 1, null, 9);
        ring.Submit();
        ring.Completions();
    });

    [Fact]
    public void Waiting_ends_with_the_time() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            MachineRing ring = m.Ring(flags);
            ring.WaitFor(1, 2_000_000).Is(ETIME);
            ring.WaitFor(1, 0).Is(ETIME);
            ring.Nop(1);
            ring.Submit();
            ring.WaitFor(1).Is(0);
            ring.WaitFor(2, 2_000_000).Is(0); // one is there
            ring.Expect("1: 0");
            ring.Close();
        }
    });

    [Fact]
    public unsafe void Entering_checks_its_arguments() => Run(m =>
    {
        MachineRing ring = m.Ring();
        Fd other = m.EventFd();
        m.Call("bad flag", m.Kernel.IoUringEnter(ring.Fd.Number, 0, 0, (IoUringEnterFlags)(1u << 20), null, 0)).Is(EINVAL);
        m.Call("no ring", m.Kernel.IoUringEnter(other.Number, 0, 0, IoUringEnterFlags.None, null, 0)).Is(EOPNOTSUPP);
        m.Call("no file", m.Kernel.IoUringEnter(-1, 0, 0, IoUringEnterFlags.None, null, 0)).Is(EBADF);
        m.Call("register no file", m.Kernel.IoUringRegister(99999, IoUringRegisterOp.Probe, null, 0)).Is(EBADF);
        m.Call("register nothing", m.Kernel.IoUringRegister(-1, IoUringRegisterOp.Probe, null, 0)).Is(EINVAL);
        m.Call("register no ring", m.Kernel.IoUringRegister(other.Number, IoUringRegisterOp.Probe, null, 0)).Is(EOPNOTSUPP);
        m.Call("register nonsense", m.Kernel.IoUringRegister(ring.Fd.Number, (IoUringRegisterOp)1000, null, 0)).Is(EINVAL);
        IoUringWaitArgument argument = default;
        m.Call("bad size", m.Kernel.IoUringEnter(ring.Fd.Number, 0, 1, IoUringEnterFlags.GetEvents | IoUringEnterFlags.ExtendedArgument, &argument, 3)).Is(EINVAL);
        m.Call("no argument", m.Kernel.IoUringEnter(ring.Fd.Number, 0, 1, IoUringEnterFlags.GetEvents | IoUringEnterFlags.ExtendedArgument, null, 24)).Is(EFAULT);
        m.Call("registered, none there", m.Kernel.IoUringEnter(9, 0, 0, IoUringEnterFlags.RegisteredRing, null, 0)).Is(EBADF);
        m.Call("registered, beyond", m.Kernel.IoUringEnter(99, 0, 0, IoUringEnterFlags.RegisteredRing, null, 0)).Is(EINVAL);
        m.Call("mmap nonsense", m.Kernel.MMap(4096, ring.Fd.Number, 0x18000000)).Is(ENOMEM);
        m.Call("mmap no file", m.Kernel.MMap(4096, 99999, 0)).Is(EBADF);
        m.Call("mmap nothing", m.Kernel.MMap(0, -1, 0)).Is(EINVAL);
        m.Call("mmap counter", m.Kernel.MMap(4096, other.Number, 0)).Is(ENODEV);
    });

    [Fact]
    public void Only_one_thread_submits_to_a_SINGLE_ISSUER_ring() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in (IoUringSetupFlags[])[IoUringSetupFlags.None, IoUringSetupFlags.SingleIssuer, Machine.Deferring])
        {
            MachineRing ring = m.Ring(flags);
            ring.Nop(1);
            MachineThread other = m.Start("other", () =>
            {
                ring.Enter(1, 0, IoUringEnterFlags.None);
                ring.Enter(0, 0, IoUringEnterFlags.GetEvents);
                ring.CancelNow(AsyncCancelFlags.None, 77);
            });
            m.Join(other);
            ring.Completions();
            ring.Close();
        }
    });

    [Fact]
    public void A_signal_ends_a_wait() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in (IoUringSetupFlags[])[IoUringSetupFlags.None, Machine.Deferring])
        {
            MachineThread thread = m.StartBlocked("waiter", () =>
            {
                MachineRing ring = m.Ring(flags);
                ring.WaitForever().Is(EINTR);
                ring.Close();
            });
            m.Kill(thread, Signal.Handled);
            m.Join(thread);
        }
    });

    [Fact]
    public void A_completion_ends_a_wait_of_another_threads_making() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            Fd fd = m.EventFd();
            MachineThread thread = m.StartBlocked("waiter", () =>
            {
                MachineRing ring = m.Ring(flags);
                ring.Poll(fd, In, 1);
                ring.WaitForever();
                ring.Expect("1: 1");
                ring.Close();
            });
            m.WriteCount(fd);
            m.Join(thread);
        }
    });

    [Fact]
    public void Many_are_waited_for() => Run(m =>
    {
        foreach (IoUringSetupFlags flags in Modes)
        {
            Fd[] fds = [m.EventFd(), m.EventFd(), m.EventFd()];
            MachineThread thread = m.StartBlocked("waiter", () =>
            {
                MachineRing ring = m.Ring(flags);
                for (int i = 0; i < 3; i++)
                    ring.Poll(fds[i], In, (ulong)i);
                ring.Submit().Is(3);
                ring.WaitFor(3).Is(0);
                ring.Expect("1: 1", "0: 1", "2: 1");
                ring.Close();
            });
            m.WriteCount(fds[1]);
            m.WriteCount(fds[0]);
            m.WriteCount(fds[2]);
            m.Join(thread);
        }
    });
}
