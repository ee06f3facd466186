namespace Weir.Simulation.Tests.Findings;

public unsafe class BufferLedgerTests : FindingTests
{
    private static void WithLedger(Action<BufferLedger, Raw> body) => Run((sim, raw) => body(sim.World.Detectors.Buffers, raw));

    private static SimulationException FindReuse(Action<BufferLedger, Raw> body)
        => Find(FindingKind.BufferReuse, (sim, raw) =>
        {
            body(sim.World.Detectors.Buffers, raw);
            raw.Close(raw.Counter()); // findings come out at the end of a call
        });

    [Fact]
    public void A_buffer_changed_while_the_kernel_owns_it_is_found()
    {
        byte[] memory = new byte[100];
        fixed (byte* buffer = memory)
        {
            byte* start = buffer;
            SimulationException finding = FindReuse((ledger, _) =>
            {
                long number = ledger.Lend(start, 100, BufferUse.KernelReads, "send on fd 7");
                start[99] = 1;
                Assert.False(ledger.GiveBack(number));
            });
            Assert.Contains("send on fd 7", finding.Summary);
            Assert.Contains("100 bytes", finding.Summary);
        }
    }

    [Fact]
    public void A_buffer_left_alone_is_whole_and_what_the_kernel_writes_into_it_is_no_change()
    {
        byte[] memory = new byte[100];
        fixed (byte* buffer = memory)
        {
            byte* start = buffer;
            WithLedger((ledger, _) =>
            {
                long number = ledger.Lend(start, 100, BufferUse.KernelWrites, "recv on fd 7");
                ledger.Deliver(number, 10, [1, 2, 3], start);
                Assert.Equal(1, ledger.Count);
                Assert.True(ledger.GiveBack(number));
                Assert.Equal(0, ledger.Count);
            });
            Assert.Equal(2, memory[11]);
        }
    }

    [Theory]
    [InlineData(0, 50, 50, true)]
    [InlineData(0, 50, 49, false)]
    public void A_buffer_lent_twice_is_found(int first, int length, int second, bool passes)
    {
        byte[] memory = new byte[100];
        fixed (byte* buffer = memory)
        {
            byte* start = buffer;
            void Body(BufferLedger ledger, Raw raw)
            {
                long one = ledger.Lend(start + first, (nuint)length, BufferUse.KernelWrites, "recv on fd 7");
                long two = ledger.Lend(start + second, 50, BufferUse.KernelReads, "send on fd 8");
                ledger.GiveBack(one);
                ledger.GiveBack(two);
            }

            if (passes)
                WithLedger(Body);
            else
                Assert.Contains("send on fd 8 overlaps the one that recv on fd 7 owns", FindReuse(Body).Summary);
        }
    }

    [Fact]
    public void Two_sends_of_one_buffer_pass()
    {
        fixed (byte* buffer = new byte[10])
        {
            byte* start = buffer;
            WithLedger((ledger, _) =>
            {
                long one = ledger.Lend(start, 10, BufferUse.KernelReads, "send on fd 7"), two = ledger.Lend(start, 10, BufferUse.KernelReads, "send on fd 8");
                Assert.True(ledger.GiveBack(one) && ledger.GiveBack(two));
            });
        }
    }
}
