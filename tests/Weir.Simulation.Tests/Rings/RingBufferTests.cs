using System.Runtime.InteropServices;
using Weir.Simulation.Tests.Findings;

namespace Weir.Simulation.Tests.Rings;

/// <summary>Memory that the requests of rings name, in programs that touch it too early, and in the same programs mended.</summary>
public unsafe class RingBufferTests : FindingTests
{
    private const IoUringSetupFlags Setup = IoUringSetupFlags.SingleIssuer | IoUringSetupFlags.DeferTaskRun;

    private static void Program(Sim sim, Raw raw, Action<Ring, int, int, nint> body)
    {
        (int a, int b) = raw.Pair();
        var memory = (byte*)NativeMemory.AllocZeroed(4096);
        using (Ring ring = Ring.Create(sim.Kernel, 8, 16, Setup))
            body(ring, a, b, (nint)memory);
        raw.Close(a);
        raw.Close(b);
        NativeMemory.Free(memory);
    }

    private static void Receive(Ring ring, int fd, nint buffer, uint length, ulong data)
    {
        ref Submission entry = ref ring.Next();
        entry.Op = IoUringOp.Receive;
        entry.Descriptor = fd;
        entry.Address = (ulong)buffer;
        entry.Length = length;
        entry.UserData = data;
    }

    private static void Cancel(Ring ring, ulong data)
    {
        ref Submission entry = ref ring.Next();
        entry.Op = IoUringOp.AsyncCancel;
        entry.Flags = SubmissionFlags.SkipSuccess;
        entry.Address = data;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_buffer_that_is_used_before_its_receive_has_completed_is_found(bool waits)
    {
        void Body(Sim sim, Raw raw) => Program(sim, raw, (ring, a, b, memory) =>
        {
            Receive(ring, a, memory, 100, 1);
            ring.Submit();
            if (waits)
            {
                raw.Write(b, 3);
                ring.SubmitAndWait(-1);
                ring.Advance(ring.Ready);
            }

            *(byte*)memory = 77;
            if (waits)
                return;
            raw.Write(b, 3);
            ring.SubmitAndWait(-1);
        });

        if (waits)
            Run(Body);
        else
            Assert.Contains("recv on fd", Find(FindingKind.BufferReuse, Body).Summary);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_buffer_of_a_cancelled_receive_is_the_kernels_until_its_completion(bool waits)
    {
        void Body(Sim sim, Raw raw) => Program(sim, raw, (ring, a, b, memory) =>
        {
            Receive(ring, a, memory, 100, 1);
            ring.Submit();
            Cancel(ring, 1);
            ring.Submit();
            if (waits)
            {
                Assert.Equal(0, ring.SubmitAndWait(-1));
                Assert.Equal(-(int)Errno.ECANCELED, ring.Peek(0).Result);
            }

            Receive(ring, a, memory, 100, 2); // handed on
            ring.Submit();
            raw.Write(b, 3);
            ring.SubmitAndWait(-1);
        });

        if (waits)
            Run(Body);
        else
            Assert.Contains("overlaps", Find(FindingKind.BufferReuse, Body).Summary);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_is_sent_must_stay_what_it_is(bool waits)
    {
        void Body(Sim sim, Raw raw) => Program(sim, raw, (ring, a, b, memory) =>
        {
            while (raw.Write(a, 4096) > 0)
            {
            }

            ref Submission entry = ref ring.Next();
            entry.Op = IoUringOp.Send;
            entry.Descriptor = a;
            entry.Address = (ulong)memory;
            entry.Length = 4096;
            ring.Submit();
            if (!waits)
                *(byte*)memory = 1;
            while (raw.Read(b, 65536) > 0)
            {
            }

            ring.SubmitAndWait(-1);
            *(byte*)memory = 1;
        });

        if (waits)
            Run(Body);
        else
            Assert.Contains("send on fd", Find(FindingKind.BufferReuse, Body).Summary);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_is_sent_without_a_copy_must_stay_what_it_is_until_its_notification(bool waits)
    {
        void Body(Sim sim, Raw raw, Ring ring, int a, int b, nint memory)
        {
            if (!waits)
                *(byte*)memory = 1; // as if it had been copied
            for (long left = Large; left > 0; left -= raw.Read(b, 65536))
                raw.Await(b, EpollEvents.In);
            Assert.Equal(0, ring.SubmitAndWait(-1));
            Assert.Equal((0, CompletionFlags.Notification), (ring.Peek(0).Result, ring.Peek(0).Flags));
            *(byte*)memory = 1;
            raw.Close(a);
        }

        if (waits)
            Run(SendingWithoutCopy(Body), new SimOptions { Mode = SimMode.Threads });
        else
            Assert.Contains("send_zc on fd", Find(FindingKind.BufferReuse, SendingWithoutCopy(Body), new SimOptions { Mode = SimMode.Threads }).Summary);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_notification_is_not_cancelled_and_comes_when_the_connection_is_reset(bool closes)
        => Run(
            SendingWithoutCopy((sim, raw, ring, a, _, _) =>
            {
                Assert.Equal(0, ring.CancelNow(AsyncCancelFlags.Any | AsyncCancelFlags.All)); // there is nothing to cancel
                Assert.Equal(-(int)Errno.ETIME, ring.SubmitAndWait(100_000_000));
                Assert.Equal(1, sim.World.Detectors.Buffers.Count);
                long linger = 1;
                ushort unspecified = 0;
                if (closes)
                    Assert.Equal(0, sim.Kernel.SetSockOpt(a, SocketLevel.Socket, SocketOption.SocketLinger, &linger, sizeof(long)));
                else
                    Assert.Equal(0, sim.Kernel.Connect(a, &unspecified, sizeof(ushort)));
                if (closes)
                    raw.Close(a);
                Assert.Equal(0, ring.SubmitAndWait(-1));
                Assert.Equal(CompletionFlags.Notification, ring.Peek(0).Flags);
                Assert.Equal(0, sim.World.Detectors.Buffers.Count);
                if (!closes)
                    raw.Close(a);
            }),
            new SimOptions { Mode = SimMode.Threads });

    private const int Large = 200_000; // the peer has no room for all of it

    // A program that has sent so much, and taken the result, when the rest of it begins; that closes the first socket.
    private static Action<Sim, Raw> SendingWithoutCopy(Action<Sim, Raw, Ring, int, int, nint> rest)
        => (sim, raw) => sim.Thread("program", () =>
        {
            (int a, int b) = raw.TcpPair();
            var memory = (byte*)NativeMemory.AllocZeroed(Large);
            using (Ring ring = Ring.Create(sim.Kernel, 8, 16, Setup))
            {
                ref Submission entry = ref ring.Next();
                entry.Op = IoUringOp.SendZeroCopy;
                entry.Descriptor = a;
                entry.Address = (ulong)memory;
                entry.Length = Large;
                ring.SubmitAndWait(-1);
                Assert.Equal((Large, CompletionFlags.More), (ring.Peek(0).Result, ring.Peek(0).Flags));
                ring.Advance(1);
                rest(sim, raw, ring, a, b, (nint)memory);
            }

            raw.Close(b);
            NativeMemory.Free(memory);
        });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_offered_buffer_is_the_kernels_until_a_completion_names_it(bool waits)
    {
        void Body(Sim sim, Raw raw) => Program(sim, raw, (ring, a, b, memory) =>
        {
            var buffers = new BufferRing(sim.Kernel, ring, 1, 4, 64, 4);
            ref Submission entry = ref ring.Next();
            entry.Op = IoUringOp.Receive;
            entry.Descriptor = a;
            entry.Flags = SubmissionFlags.BufferSelect;
            entry.BufferGroup = 1;
            entry.Priority = IoUringPriority.ReceiveMultishot;
            ring.Submit();
            if (!waits)
                buffers.At(0)[5] = 9;
            raw.Write(b, 3);
            ring.SubmitAndWait(-1);
            int id = ring.Peek(0).BufferId;
            ring.Advance(1);
            buffers.At(id)[5] = 9;
            buffers.Offer(id);
            Assert.Equal(0, ring.CancelNow(AsyncCancelFlags.Any) - 1);
            buffers.Dispose();
        });

        if (waits)
            Run(Body);
        else
            Assert.Contains("buffer 0 of group 1", Find(FindingKind.BufferReuse, Body).Summary);
    }

    [Fact]
    public void Memory_that_is_unmapped_under_a_receive_is_found()
    {
        SimulationException finding = Find(FindingKind.BufferReuse, (sim, raw) => Program(sim, raw, (ring, a, b, memory) =>
        {
            nint page = sim.Kernel.MMap(4096, -1, 0);
            Receive(ring, a, page, 100, 1);
            ring.Submit();
            sim.Kernel.MUnmap((void*)page, 4096);
        }));
        Assert.Contains("unmapped", finding.Summary);
    }
}
