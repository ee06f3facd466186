using System.Buffers.Binary;

namespace Weir.Simulation.Tests;

public unsafe class SignalTests
{
    private const int User1 = 10, User2 = 12, Terminate = 15, WindowChange = 28, RealTime = 39;

    private static ulong Set(params ReadOnlySpan<int> signals)
    {
        ulong set = 0;
        foreach (int signal in signals)
            set |= SignalNumbers.Bit(signal);
        return set;
    }

    [Fact]
    public void A_handler_interrupts_a_wait_for_events_even_with_SA_RESTART()
    {
        int handled = 0, result = 0;
        Blocked(
            kernel =>
            {
                handled = 0;
                kernel.HandleSignal(User1, () => handled++, restart: true);
            },
            kernel => result = WaitForever(kernel),
            kernel => kernel.Raise(User1));
        Assert.Equal(1, handled);
        Assert.Equal(-(int)Errno.EINTR, result);
    }

    [Fact]
    public void An_ignored_signal_does_not_interrupt_and_neither_does_one_ignored_by_default()
    {
        int result = 0;
        Blocked(
            kernel => kernel.IgnoreSignal(User1),
            kernel => result = WaitFor(kernel, 50),
            kernel =>
            {
                kernel.Raise(User1);
                kernel.Raise(WindowChange);
                kernel.Raise(SignalNumbers.Pipe);
            });
        Assert.Equal(0, result);
    }

    [Fact]
    public void Stopping_and_continuing_interrupts()
    {
        int result = 0;
        Blocked(_ => { }, kernel => result = WaitForever(kernel), kernel => kernel.StopAndContinue());
        Assert.Equal(-(int)Errno.EINTR, result);
    }

    [Fact]
    public void A_stopped_process_does_nothing_until_it_is_continued()
    {
        var order = new List<string>();
        Sim.Run(
            1,
            sim =>
            {
                SimKernel child = sim.Kernel.Fork("child");
                int fd = sim.Kernel.EventFd(0, EventFdFlags.CloseOnExec);
                sim.Thread(
                    "child",
                    () =>
                    {
                        order.Add($"wait = {WaitFor(child, 10)}");
                        order.Add("child goes on");
                    },
                    child);
                sim.Thread("parent", () =>
                {
                    WaitFor(sim.Kernel, 1);
                    child.Raise(SignalNumbers.Stop);
                    WaitFor(sim.Kernel, 100);
                    order.Add("continue");
                    child.Raise(SignalNumbers.Continue);
                });
                return Task.CompletedTask;
            },
            Threads.Options(SimMode.Threads));
        Assert.Equal(["continue", $"wait = {-(int)Errno.EINTR}", "child goes on"], order);
    }

    [Fact]
    public void A_ready_event_beats_a_pending_signal_which_stays_pending()
        => Simulate(kernel =>
        {
            int handled = 0, fd = kernel.EventFd(1, 0), epoll = EpollOn(kernel, fd);
            kernel.HandleSignal(User1, () => handled++);
            kernel.BlockSignals(Set(User1));
            kernel.Raise(User1);
            byte* entry = stackalloc byte[16];
            Assert.Equal(1, kernel.EpollPWait(epoll, entry, 1, -1, 0));
            Assert.Equal(0, handled);
            ulong count;
            Assert.Equal(8, kernel.Read(fd, &count, 8));
            Assert.Equal(0, kernel.EpollPWait(epoll, entry, 1, 0, 0)); // time 0 never gives EINTR
            Assert.Equal(0, handled);
            Assert.Equal(-(int)Errno.EINTR, kernel.EpollPWait(epoll, entry, 1, -1, 0));
            Assert.Equal(1, handled);
            Assert.Equal(Set(User1), kernel.BlockSignals(0));
        });

    [Fact]
    public void A_read_is_restarted_unless_a_handler_forbids()
    {
        foreach (bool restart in (bool[])[false, true])
        {
            int handled = 0;
            nint result = 0;
            int read = 0, write = 0;
            Blocked(
                kernel =>
                {
                    handled = 0;
                    int* fds = stackalloc int[2];
                    kernel.Pipe2(fds, 0);
                    (read, write) = (fds[0], fds[1]);
                    kernel.HandleSignal(User1, () => handled++, restart);
                },
                kernel =>
                {
                    byte one;
                    result = kernel.Read(read, &one, 1);
                },
                kernel =>
                {
                    kernel.Raise(User1);
                    WaitFor(kernel, 1);
                    byte one = 1;
                    kernel.Write(write, &one, 1);
                });
            Assert.Equal(1, handled);
            Assert.Equal(restart ? 1 : -(int)Errno.EINTR, result);
        }
    }

    [Fact]
    public void Poll_goes_on_after_a_stop_but_not_after_any_handler()
    {
        int result = 0;
        Blocked(_ => { }, kernel => result = kernel.Poll(null, 0, 20), kernel => kernel.StopAndContinue());
        Assert.Equal(0, result);
        Blocked(
            kernel => kernel.HandleSignal(User1, restart: true),
            kernel => result = kernel.Poll(null, 0, -1),
            kernel => kernel.Raise(User1));
        Assert.Equal(-(int)Errno.EINTR, result);
    }

    [Fact]
    public void A_blocked_signal_waits_until_it_is_wanted()
        => Simulate(kernel =>
        {
            int handled = 0;
            kernel.HandleSignal(User1, () => handled++);
            Assert.Equal(0ul, kernel.BlockSignals(Set(User1)));
            Assert.Equal(0, kernel.Raise(User1));
            Assert.Equal(0, kernel.Raise(User1)); // a standard signal is pending once
            Assert.Equal(0, handled);
            Assert.Equal(Set(User1), kernel.BlockSignals(0));
            Assert.Equal(1, handled);
            kernel.Raise(User1);
            Assert.Equal(2, handled);
            Assert.Equal(-(int)Errno.EINVAL, kernel.Raise(65));
            Assert.Equal(-(int)Errno.EINVAL, kernel.Raise(-1));
            Assert.Equal(0, kernel.Raise(0));
        });

    [Fact]
    public void A_signal_to_the_process_goes_to_a_thread_that_does_not_block_it()
    {
        int handledBy = -1, result = 0;
        Sim.Run(
            1,
            sim =>
            {
                SimKernel kernel = sim.Kernel;
                kernel.HandleSignal(User1, () => handledBy = SimThread.Current!.Id);
                kernel.BlockSignals(Set(User1)); // the loop
                sim.Thread("blocks it", () => { kernel.BlockSignals(Set(User1)); WaitFor(kernel, 10); });
                sim.Thread("takes it", () => result = WaitForever(kernel));
                sim.Thread("sends it", () =>
                {
                    kernel.BlockSignals(Set(User1));
                    WaitFor(kernel, 1);
                    kernel.Raise(User1);
                });
                return Task.CompletedTask;
            },
            Threads.Options(SimMode.Threads));
        Assert.Equal(-(int)Errno.EINTR, result);
        Assert.Equal(2, handledBy);
    }

    [Fact]
    public void Signalfd_reads_blocked_signals_lowest_first_and_the_thread_s_own_before_the_process_s()
        => Simulate(kernel =>
        {
            kernel.BlockSignals(Set(User1, User2, RealTime));
            int fd = kernel.SignalFd(-1, Set(User1, User2, RealTime, SignalNumbers.Kill)), epoll = EpollOn(kernel, fd);
            byte* infos = stackalloc byte[4 * 128];
            Assert.Equal(-(int)Errno.EAGAIN, kernel.Read(fd, infos, 128));
            Assert.Equal(-(int)Errno.EINVAL, kernel.Read(fd, infos, 127));
            Assert.Equal(-(int)Errno.EINVAL, kernel.Write(fd, infos, 128));
            kernel.Raise(User2);
            Assert.Equal(EpollEvents.In, Next(kernel, epoll));
            kernel.Raise(User2);
            Assert.Equal(EpollEvents.None, Next(kernel, epoll)); // it was pending: no edge
            kernel.Raise(User1);
            Assert.Equal(EpollEvents.In, Next(kernel, epoll));
            kernel.Raise(RealTime);
            kernel.Raise(RealTime);
            kernel.Raise(WindowChange);
            Assert.Equal(4 * 128, kernel.Read(fd, infos, 5 * 128));
            Assert.Equal([User1, User2, RealTime, RealTime], Signals(infos, 4));
            Assert.Equal(kernel.ProcessId, BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(infos + 12, 4)));
            Assert.Equal(-(int)Errno.EAGAIN, kernel.Read(fd, infos, 128));
            kernel.Raise(User1);
            kernel.RaiseIn(SimThread.Current!, User2);
            Assert.Equal(2 * 128, kernel.Read(fd, infos, 4 * 128));
            Assert.Equal([User2, User1], Signals(infos, 2));
            Assert.Equal(SignalInfo.FromThread, BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(infos + 8, 4)));
            kernel.Raise(User1);
            Assert.Equal(-(int)Errno.EFAULT, kernel.Read(fd, (void*)Probe.Nowhere, 128));
            Assert.Equal(-(int)Errno.EAGAIN, kernel.Read(fd, infos, 128)); // lost
        });

    [Fact]
    public void The_mask_of_a_signalfd_can_be_changed()
        => Simulate(kernel =>
        {
            kernel.BlockSignals(Set(User1));
            int fd = kernel.SignalFd(-1, Set(User1)), epoll = EpollOn(kernel, fd);
            kernel.Raise(User1);
            Assert.Equal(EpollEvents.In, Next(kernel, epoll));
            Assert.Equal(fd, kernel.SignalFd(fd, Set(User2)));
            Assert.Equal(EpollEvents.None, Next(kernel, epoll));
            Assert.Equal(fd, kernel.SignalFd(fd, Set(User1)));
            Assert.Equal(EpollEvents.In, Next(kernel, epoll));
            Assert.Equal(-(int)Errno.EINVAL, kernel.SignalFd(epoll, Set(User1)));
            Assert.Equal(-(int)Errno.EBADF, kernel.SignalFd(-2, Set(User1)));
            Assert.Equal(-(int)Errno.EBADF, kernel.SignalFd(99, Set(User1)));
        });

    [Fact]
    public void Readiness_of_a_signalfd_is_judged_for_the_thread_that_asks()
    {
        EpollEvents other = EpollEvents.Err, owner = EpollEvents.Err;
        Sim.Run(
            1,
            sim =>
            {
                SimKernel kernel = sim.Kernel;
                kernel.BlockSignals(Set(User1));
                int fd = kernel.SignalFd(-1, Set(User1)), epoll = kernel.EpollCreate1(0);
                sim.Thread("owner", () =>
                {
                    kernel.BlockSignals(Set(User1));
                    byte* entry = stackalloc byte[16];
                    EpollEventLayout.Set(entry, 0, EpollEvents.In, 0);
                    kernel.EpollCtl(epoll, EpollOp.Add, fd, entry);
                    kernel.RaiseIn(SimThread.Current!, User1);
                    WaitFor(kernel, 10);
                    owner = Next(kernel, epoll);
                });
                sim.Thread("other", () =>
                {
                    WaitFor(kernel, 5);
                    other = Next(kernel, epoll); // drops it from the ready list
                });
                return Task.CompletedTask;
            },
            Threads.Options(SimMode.Threads));
        Assert.Equal(EpollEvents.None, other);
        Assert.Equal(EpollEvents.None, owner);
    }

    [Fact]
    public void What_nobody_handles_ends_the_process_with_its_threads_and_descriptors()
    {
        int status = 0, code = -1;
        bool returned = false, released = false;
        nint write = 0;
        Sim.Run(
            1,
            sim =>
            {
                SimKernel child = sim.Kernel.Fork("child");
                int* fds = stackalloc int[2];
                sim.Kernel.Pipe2(fds, 0);
                int read = child.Descriptors.FindFree();
                child.Descriptors.Set(read, sim.Kernel.Descriptors.Take(fds[0])!, false);
                child.Descriptors.Find(read)!.Drop(); // handed over
                int writeEnd = fds[1];
                sim.Thread(
                    "child",
                    () =>
                    {
                        try
                        {
                            byte one;
                            child.Read(read, &one, 1);
                            returned = true;
                        }
                        finally
                        {
                            released = true;
                        }
                    },
                    child);
                sim.Thread("parent", () =>
                {
                    WaitFor(sim.Kernel, 1);
                    Assert.Equal(0, child.Raise(Terminate));
                    Assert.True(child.HasExited);
                    code = sim.Kernel.WaitFor(child.ProcessId, out status);
                    WaitFor(sim.Kernel, 1); // its thread lets go of what it read from
                    byte one = 1;
                    write = sim.Kernel.Write(writeEnd, &one, 1);
                    Assert.Equal(child.ProcessId, code);
                    Assert.Equal(-(int)Errno.ESRCH, child.Raise(Terminate));
                });
                return Task.CompletedTask;
            },
            Threads.Options(SimMode.Threads));
        Assert.Equal(Terminate, status);
        Assert.False(returned);
        Assert.True(released);
        Assert.Equal(-(int)Errno.EPIPE, write);
    }

    // A thread that blocks, and another that does something once it has.
    private static void Blocked(Action<SimKernel> prepare, Action<SimKernel> block, Action<SimKernel> meanwhile)
    {
        foreach (SimMode mode in (SimMode[])[SimMode.Threads, SimMode.Live])
        {
            Sim.Run(
                1,
                sim =>
                {
                    SimKernel child = sim.Kernel.Fork("child");
                    bool isOver = false;
                    prepare(child);
                    sim.Thread("blocked", () => Volatile.Write(ref isOver, Block(child)), child);
                    sim.Thread("meanwhile", () =>
                    {
                        SpinWait.SpinUntil(() => mode == SimMode.Threads || Volatile.Read(ref isOver) || Look(child));
                        WaitFor(sim.Kernel, 1);
                        meanwhile(child);
                    });
                    return Task.CompletedTask;
                },
                Threads.Options(mode));
        }

        bool Block(SimKernel child)
        {
            block(child);
            return true;
        }

        // By number: in live mode a thread may join them meanwhile.
        static bool Look(SimKernel child)
            => Enumerable.Range(0, child.World.Threads.Count).Select(i => child.World.Threads[i]).Any(thread => thread.Process == child && thread.State == ThreadState.Blocked);
    }

    // On a thread of its own, and the loop beside it takes no signals.
    private static void Simulate(Action<SimKernel> body)
        => Threads.Simulate(1, kernel =>
        {
            kernel.BlockSignals(ulong.MaxValue);
            return [() => body(kernel)];
        });

    private static int EpollOn(Kernel kernel, int fd)
    {
        int epoll = kernel.EpollCreate1(FileFlags.CloseOnExec);
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, EpollEvents.In | EpollEvents.EdgeTriggered, 0);
        Assert.Equal(0, kernel.EpollCtl(epoll, EpollOp.Add, fd, entry));
        return epoll;
    }

    private static EpollEvents Next(Kernel kernel, int epoll)
    {
        byte* entry = stackalloc byte[16];
        return kernel.EpollWait(epoll, entry, 1, 0) == 1 ? EpollEventLayout.Events(entry, 0) : EpollEvents.None;
    }

    private static int WaitForever(Kernel kernel) => WaitFor(kernel, -1);

    private static int WaitFor(Kernel kernel, int milliseconds)
    {
        byte* entry = stackalloc byte[16];
        int epoll = kernel.EpollCreate1(FileFlags.CloseOnExec);
        int result = kernel.EpollWait(epoll, entry, 1, milliseconds);
        kernel.Close(epoll);
        return result;
    }

    private static int[] Signals(byte* infos, int count)
        => [.. Enumerable.Range(0, count).Select(i => BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(infos + i * 128, 4)))];
}
