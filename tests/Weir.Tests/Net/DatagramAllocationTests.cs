using System.Net;
using Weir.Net;

namespace Weir.Tests;

/// <summary>Steady traffic of datagrams allocates nothing on the loop's thread, whether a receive waits or not.</summary>
[Collection(Alone.Name)]
public class DatagramAllocationTests : DatagramTestBase
{
    private const int WarmUps = 5000, Count = 2000;

    // Nothing between the loop and the system call.
    protected override LoopOptions MakeOptions()
    {
        LoopOptions options = base.MakeOptions();
        options.Kernel = InnerKernel;
        return options;
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_receive_that_waits_for_a_datagram(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        SocketAddress to = AddressOf(receiver), from = receiver.CreateAddress();
        byte[] message = new byte[64], buffer = new byte[64];
        await AssertNone(async count =>
        {
            for (int i = 0; i < count; i++)
            {
                ValueTask<int> receive = receiver.ReceiveFromAsync(buffer, from);
                if (receive.IsCompleted)
                    throw new InvalidOperationException("It did not wait.");
                if (!sender.TrySendTo(message, to))
                    throw new InvalidOperationException("No room.");
                await receive;
            }
        });
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("v6")]
    public void A_receive_that_finds_a_datagram(string family) => Run(async () =>
    {
        using DatagramSocket receiver = Bound(family), sender = Bound(family);
        SocketAddress to = AddressOf(receiver), from = receiver.CreateAddress();
        byte[] message = new byte[64], buffer = new byte[64];
        await AssertNone(async count =>
        {
            for (int i = 0; i < count; i++)
            {
                await sender.SendToAsync(message, to);
                await receiver.ReceiveFromAsync(buffer, from);
            }
        });
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("pair")]
    public void Connected_sockets_with_a_token_and_control_messages(string family) => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = ConnectedPair(family);
        using DatagramSocket a = first, b = second;
        if (family == "v4")
            b.ReceivesPacketInfo = true;
        byte[] message = new byte[64], buffer = new byte[64];
        var ancillary = new AncillaryData();
        using var source = new CancellationTokenSource();
        await AssertNone(async count =>
        {
            for (int i = 0; i < count; i++)
            {
                ValueTask<int> receive = b.ReceiveMessageAsync(buffer, null, ancillary, source.Token);
                await a.SendAsync(message, source.Token);
                await receive;
                receive = a.ReceiveAsync(buffer);
                await b.SendAsync(message);
                await receive;
            }
        });
        Assert.Equal(family == "v4", PacketInfo.TryFind(ancillary.Messages, out _));
    });

    [Theory]
    [InlineData("v4")]
    [InlineData("pair")]
    public void Batches_there_and_back(string family) => Run(async () =>
    {
        (DatagramSocket first, DatagramSocket second) = ConnectedPair(family);
        using DatagramSocket a = first, b = second;
        using DatagramBatch sent = new(4, 64), received = new(8, 64);
        SocketAddress? to = family == "pair" ? null : AddressOf(b);
        byte[] message = new byte[64];
        await AssertNone(async count =>
        {
            for (int i = 0; i < count; i++)
            {
                ValueTask<int> receive = b.ReceiveBatchAsync(received);
                sent.Clear();
                for (int k = 0; k < 4; k++)
                    sent.Add(message, to);
                await a.SendBatchAsync(sent);
                await receive;
                while (b.TryReceiveBatch(received))
                {
                }
            }
        });
    });

    [Fact]
    public void Trains_in_batches_and_one_by_one() => Run(async () =>
    {
        using DatagramSocket receiver = Bound("v4", new DatagramOptions { ReceivesTrains = true }), sender = Bound("v4");
        using DatagramBatch sent = new(8, 64), received = new(3, 64);
        SocketAddress to = AddressOf(receiver), from = receiver.CreateAddress();
        byte[] buffer = new byte[64];
        for (int i = 0; i < sent.Capacity; i++)
            sent.Add(64, to);
        await AssertNone(async count =>
        {
            for (int i = 0; i < count; i++)
            {
                ValueTask<int> receive = receiver.ReceiveFromAsync(buffer, from);
                await sender.SendBatchAsync(sent);
                await receive;
                for (int left = sent.Capacity - 1; left > 0;)
                    left -= await receiver.ReceiveBatchAsync(received);
            }
        });
    });

    private static async Task AssertNone(Func<int, ValueTask> work)
    {
        await work(WarmUps);
        // As in LoopAllocationTests: among a few rounds one must be clean.
        long least = long.MaxValue;
        for (int round = 0; round < 20 && least > Count - 1; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            await work(Count);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.InRange(least, 0, Count - 1);
    }
}
