using Weir.Net;

namespace Weir.Tests;

public class SpliceTests : NetTestBase
{
    public static TheoryData<string> Families => ["tcp", "unix"];

    /// <summary>Two pairs, from whose inner ends a test passes on: sender to source, destination to receiver.</summary>
    private void RunBetweenPairs(string family, Func<Connection, Connection, Connection, Connection, SplicePipe, Task> body) => Run(async () =>
    {
        (Connection sender, Connection source) = await PairOf(family);
        (Connection destination, Connection receiver) = await PairOf(family);
        using SplicePipe pipe = SplicePipe.Create();
        using (sender)
        using (source)
        using (destination)
        using (receiver)
            await body(sender, source, destination, receiver, pipe);
    });

    [Theory, MemberData(nameof(Families))]
    public void Bytes_go_through_the_pipe(string family) => RunBetweenPairs(family, async (sender, source, destination, receiver, pipe) =>
    {
        await sender.WriteAsync(Bytes("one "));
        await source.WaitForDataAsync();
        Assert.True(source.TryReadTo(pipe, out int first));
        Assert.Equal((4, 4), (first, pipe.Count));
        await sender.WriteAsync(Bytes("two"));
        await source.WaitForDataAsync();
        Assert.True(source.TryReadTo(pipe, out int second));
        Assert.Equal((3, 7), (second, pipe.Count));
        Assert.Equal(7, destination.TryWriteFrom(pipe));
        Assert.Equal(0, pipe.Count);
        Assert.Equal("one two", await ReadText(receiver, 7));
    });

    [Theory, MemberData(nameof(Families))]
    public void Where_nothing_is_to_be_read_one_can_wait_for_more(string family) => RunBetweenPairs(family, async (sender, source, _, _, pipe) =>
    {
        await sender.WriteAsync(Bytes("x"));
        await source.WaitForDataAsync();
        Assert.True(source.TryReadTo(pipe, out _));
        Assert.Equal(0, pipe.Capacity % 4096);
        using var other = SplicePipe.Create();
        while (source.TryReadTo(other, out _))
        {
            // Readiness is forgotten once the kernel has said that nothing is there.
        }

        Task wait = source.WaitForDataAsync().AsTask();
        Assert.False(wait.IsCompleted);
        await sender.WriteAsync(Bytes("y"));
        await wait;
        Assert.True(source.TryReadTo(other, out int count));
        Assert.Equal(1, count);
    });

    [Theory, MemberData(nameof(Families))]
    public void Much_goes_through_in_spite_of_full_buffers(string family) => PassMuch(family, receiverHasEnded: false);

    [Theory, MemberData(nameof(Families))]
    public void Much_goes_through_to_who_has_ended_his_own_side(string family) => PassMuch(family, receiverHasEnded: true);

    private void PassMuch(string family, bool receiverHasEnded) => RunBetweenPairs(family, async (sender, source, destination, receiver, pipe) =>
    {
        if (receiverHasEnded)
            receiver.ShutdownWrite();
        byte[] all = Pattern(8 << 20);
        byte[] before = new byte[Fill(destination)];
        Task write = sender.WriteAsync(all).AsTask();
        int waits = 0;
        Task pump = Pump();
        await Until(() => waits > 0);
        await receiver.ReadExactlyAsync(before);
        byte[] got = new byte[all.Length];
        await receiver.ReadExactlyAsync(got);
        await write;
        sender.ShutdownWrite();
        await pump;
        Assert.True(all.AsSpan().SequenceEqual(got));

        async Task Pump()
        {
            while (true)
            {
                await source.WaitForDataAsync();
                if (!source.TryReadTo(pipe, out int count))
                    continue;
                if (count == 0)
                    break;
                while (destination.TryWriteFrom(pipe) >= 0 && pipe.Count > 0)
                {
                    waits++;
                    await destination.WaitWritableAsync();
                }
            }

            Assert.True(source.TryRead(new byte[1], out int left));
            Assert.Equal(0, left);
        }
    });

    [Fact]
    public virtual void A_pipe_that_is_not_empty_says_nothing_about_the_socket() => RunBetweenPairs("tcp", async (sender, source, _, _, pipe) =>
    {
        await sender.WriteAsync(Bytes("x"));
        await source.WaitForDataAsync();
        Assert.True(source.TryReadTo(pipe, out _));
        source.TryReadTo(pipe, out _);
        await source.WaitForDataAsync(); // returns, for readiness was not forgotten
    });

    [Fact]
    public void A_reset_is_an_exception() => RunBetweenPairs("tcp", async (sender, source, destination, receiver, pipe) =>
    {
        await sender.WriteAsync(Bytes("x"));
        await source.WaitForDataAsync();
        Assert.True(source.TryReadTo(pipe, out _));
        sender.Abort();
        receiver.Abort();
        using SplicePipe other = SplicePipe.Create();
        await Until(() => Fails(() => source.TryReadTo(other, out _)));
        await Until(() => Fails(() => destination.TryWriteFrom(pipe)));

        static bool Fails(Action action)
        {
            try
            {
                action();
                return false;
            }
            catch (KernelException exception)
            {
                Assert.Contains(exception.Errno, new[] { Errno.ECONNRESET, Errno.EPIPE });
                return true;
            }
        }
    });

    [Fact]
    public void Closed_pipes_and_connections_are_refused() => Run(async () =>
    {
        (Connection first, Connection second) = Connection.CreatePair();
        SplicePipe pipe = SplicePipe.Create(1);
        Assert.True(pipe.Capacity >= 4096);
        pipe.Dispose();
        pipe.Dispose();
        Assert.Throws<ObjectDisposedException>(() => first.TryReadTo(pipe, out _));
        Assert.Throws<ObjectDisposedException>(() => first.TryWriteFrom(pipe));
        using SplicePipe open = SplicePipe.Create();
        first.Dispose();
        second.Dispose();
        Assert.Throws<ObjectDisposedException>(() => first.TryReadTo(open, out _));
        Assert.Throws<ObjectDisposedException>(() => second.TryWriteFrom(open));
        await Task.CompletedTask;
    });
}
