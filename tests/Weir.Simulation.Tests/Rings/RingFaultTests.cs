namespace Weir.Simulation.Tests.Rings;

/// <summary>What goes wrong with rings on purpose, and programs of the runtime that live with it.</summary>
public class RingFaultTests
{
    private const IoUringSetupFlags Setup = IoUringSetupFlags.SingleIssuer | IoUringSetupFlags.DeferTaskRun;

    private static void RunThread(SimFaults? faults, Action<Sim, Raw> body, ulong seed = 1)
    {
        var options = new SimOptions { Mode = SimMode.Threads };
        foreach (FaultRule rule in faults?.Rules ?? [])
            options.Faults.Add(rule);
        Sim.Run(
            seed,
            sim =>
            {
                sim.Thread("program", () => body(sim, new Raw(sim.Kernel)));
                return Task.CompletedTask;
            },
            options);
    }

    [Theory]
    [InlineData(SimFault.NoMemory, Errno.ENOMEM)]
    [InlineData(SimFault.NoDescriptors, Errno.EMFILE)]
    public void A_ring_may_not_be_had(SimFault fault, Errno errno)
        => RunThread(null, (sim, _) =>
        {
            sim.Faults.Add(new FaultRule { Fault = fault, Probability = 1, Call = SystemCall.IoUringSetup });
            KernelException refusal = Assert.Throws<KernelException>(() => Ring.Create(sim.Kernel, 8, 16, Setup));
            Assert.True(refusal.Errno == errno || refusal.Errno == Errno.ENFILE);
        });

    [Fact]
    public void A_wait_is_interrupted()
        => RunThread(null, (sim, _) =>
        {
            using Ring ring = Ring.Create(sim.Kernel, 8, 16, Setup);
            sim.Faults.Add(new FaultRule { Fault = SimFault.Interrupted, Probability = 1, Call = SystemCall.IoUringEnter });
            Assert.Equal(-(int)Errno.EINTR, ring.SubmitAndWait(-1));
        });

    [Fact]
    public void A_multishot_ends_for_no_reason_and_is_begun_again()
        => RunThread(null, (sim, raw) =>
        {
            using Ring ring = Ring.Create(sim.Kernel, 8, 16, Setup);
            int fd = raw.Counter();
            sim.Faults.Add(SimFault.EndedMultishot, 1);
            for (int i = 0; i < 3; i++)
            {
                ref Submission entry = ref ring.Next();
                entry.Op = IoUringOp.PollAdd;
                entry.Descriptor = fd;
                entry.OperationFlags = (uint)EpollEvents.In;
                entry.Length = (uint)PollAddFlags.Multishot;
                ring.Submit();
                raw.Signal(fd);
                ring.SubmitAndWait(-1);
                Assert.Equal(1u, ring.Ready);
                Assert.Equal(1, ring.Peek(0).Result);
                Assert.Equal(CompletionFlags.None, ring.Peek(0).Flags);
                ring.Advance(1);
                raw.Take(fd);
            }

            Assert.Equal(3, sim.Faults.Count(SimFault.EndedMultishot));
            raw.Close(fd);
        });

    [Fact]
    public void Only_the_thread_that_made_a_ring_submits_to_it()
    {
        int result = 0;
        RunThread(null, (sim, raw) =>
        {
            using Ring ring = Ring.Create(sim.Kernel, 8, 16, Setup);
            int done = raw.Counter(0, EventFdFlags.None);
            int number = ring.FileDescriptor;
            sim.Thread("other", () =>
            {
                unsafe
                {
                    result = sim.Kernel.IoUringEnter(number, 1, 0, IoUringEnterFlags.None, null, 0);
                }

                raw.Signal(done);
            });
            raw.Take(done);
            raw.Close(done);
        });
        Assert.Equal(-(int)Errno.EEXIST, result);
    }

    [Fact]
    public void A_ring_left_open_is_a_leak()
        => Assert.Equal(FindingKind.Leak, Assert.Throws<SimulationException>(() => RunThread(null, (sim, _) => Ring.Create(sim.Kernel, 8, 16, Setup))).Kind);

    [Fact]
    public void A_wait_that_nothing_can_end_is_a_deadlock()
        => Assert.Equal(FindingKind.Deadlock, Assert.Throws<SimulationException>(() => RunThread(null, (sim, _) =>
        {
            using Ring ring = Ring.Create(sim.Kernel, 8, 16, Setup);
            ring.SubmitAndWait(-1);
        })).Kind);

    [Fact]
    public void Who_enters_again_and_again_for_nothing_is_busy()
        => Assert.Equal(FindingKind.BusyLoop, Assert.Throws<SimulationException>(() => RunThread(null, (sim, _) =>
        {
            using Ring ring = Ring.Create(sim.Kernel, 8, 16, Setup);
            unsafe
            {
                while (true)
                    sim.Kernel.IoUringEnter(ring.FileDescriptor, 0, 0, IoUringEnterFlags.GetEvents, null, 0);
            }
        })).Kind);

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void Loops_on_rings_talk_to_each_other_whatever_the_schedule(SimMode mode)
        => Sim.Explore(
            async sim =>
            {
                var listener = Net.Listener.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
                System.Net.EndPoint place = listener.LocalEndPoint;
                SimLoop client = sim.Loop("client", async () =>
                {
                    using Net.Connection connection = await Net.Connection.ConnectAsync(place);
                    byte[] bytes = new byte[5000];
                    await connection.WriteAsync(bytes);
                    await connection.ReadExactlyAsync(bytes);
                }, configure: options => options.Driver = DriverKind.IoUring);
                using (listener)
                using (Net.Connection served = await listener.AcceptAsync())
                {
                    byte[] bytes = new byte[5000];
                    await served.ReadExactlyAsync(bytes);
                    await served.WriteAsync(bytes);
                    Assert.Equal(0, await served.ReadAsync(bytes));
                }
            },
            new ExploreOptions { Runs = 60, Mode = mode });
}
