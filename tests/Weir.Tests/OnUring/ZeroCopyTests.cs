using Weir.Net;

namespace Weir.Tests;

/// <summary>Writes that the kernel sends from the writer's memory without a copy: when they end, whatever becomes of them.</summary>
public class ZeroCopyTests : NetTestBase
{
    private const int Threshold = 32 * 1024;
    private const int Large = 8 << 20; // more than both ends' kernels take for a peer that does not read
    private const int Taken = 1 << 20; // the sender's kernel takes it all, the peer's does not

    private static readonly byte[] s_pattern = Pattern(Large);

    protected override TestBed MakeBed() => new UringBed();

    protected override LedgerKernel MakeDoor() => new SubmissionKernel(InnerKernel);

    private SubmissionKernel Submissions => (SubmissionKernel)Door;

    private bool OnUring => MakeOptions().Driver == DriverKind.IoUring;

    /// <summary>All that was to be sent without a copy is: not on epoll, nor for a user who may lock too little memory.</summary>
    private bool Uncopied => OnUring && Submissions.Shortages == 0;

    private void RunZeroCopy(Func<Task> body) => Run(body, options => options.ZeroCopyThreshold = Threshold);

    private static async Task ReadPattern(Connection connection, int length)
    {
        byte[] block = new byte[65536];
        for (int total = 0; total < length;)
        {
            int count = await connection.ReadAsync(block);
            if (count == 0)
                throw new EndOfStreamException();
            int same = block.AsSpan(0, count).CommonPrefixLength(s_pattern.AsSpan(total));
            Assert.True(same == count, $"Byte {total + same} of {length} is not what was sent.");
            total += count;
        }
    }

    private static async Task SomeTurns()
    {
        for (int i = 0; i < 50; i++)
            await EventLoop.Yield();
    }

    [Theory]
    [InlineData(4 << 20)]
    [InlineData(Threshold)]
    public void A_write_from_the_threshold_on_arrives_whole(int length) => RunZeroCopy(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            var memory = new PinCountingMemory(Pattern(length));
            Task writing = client.WriteAsync(memory.Memory).AsTask();
            await ReadPattern(server, length);
            await writing;
            Assert.Equal(0, memory.Pins);
            Assert.Equal(OnUring, Submissions.SubmittedOf(IoUringOp.SendZeroCopy) > 0);
        }
    });

    [Theory]
    [InlineData(Threshold, Threshold - 1)]
    [InlineData(1, 16_000)]
    [InlineData(int.MaxValue, 1 << 20)]
    public void Smaller_writes_are_copied(int threshold, int length) => Run(
        async () =>
        {
            (Connection client, Connection server) = await TcpPair();
            using (client)
            using (server)
            {
                Task writing = client.WriteAsync(Pattern(length)).AsTask();
                await ReadPattern(server, length);
                await writing;
                Assert.Equal(0, Submissions.SubmittedOf(IoUringOp.SendZeroCopy));
            }
        },
        options => options.ZeroCopyThreshold = threshold);

    [Fact]
    public void Unix_sockets_copy() => RunZeroCopy(async () =>
    {
        (Connection client, Connection server) = await UnixPair();
        using (client)
        using (server)
        {
            Task writing = client.WriteAsync(Pattern(Taken)).AsTask();
            await ReadPattern(server, Taken);
            await writing;
            Assert.Equal(0, Submissions.SubmittedOf(IoUringOp.SendZeroCopy));
        }
    });

    [Fact]
    public void Writes_one_after_the_other_arrive_in_order() => RunZeroCopy(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            byte[] all = Pattern(3_000_000), memory = new byte[all.Length];
            Task reading = ReadPattern(server, all.Length);
            int[] sizes = [100, 40_000, 20_000, 1_500_000, 1, 70_000, 33_000];
            int done = 0;
            for (int i = 0; done < all.Length; i++)
            {
                int count = Math.Min(sizes[i % sizes.Length], all.Length - done);
                all.AsSpan(done, count).CopyTo(memory);
                await client.WriteAsync(memory.AsMemory(0, count));
                memory.AsSpan(0, count).Clear(); // it is the writer's again
                done += count;
            }

            await reading;
        }
    });

    [Fact]
    public void A_write_ends_when_the_peer_has_acknowledged_all_of_it() => RunZeroCopy(async () =>
    {
        if (!OnUring)
            return;
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            var memory = new PinCountingMemory(Pattern(Taken));
            Task writing = client.WriteAsync(memory.Memory).AsTask();
            await SomeTurns();
            if (Uncopied)
            {
                Assert.False(writing.IsCompleted);
                Assert.Equal(1, memory.Pins);
                Assert.Throws<InvalidOperationException>(() => client.ReleaseDescriptor());
            }

            await ReadPattern(server, Taken);
            await writing;
            Assert.Equal(0, memory.Pins);
        }
    });

    [Theory]
    [InlineData(Taken)]
    [InlineData(Large)]
    public void A_write_that_is_cancelled_ends_though_the_peer_does_not_read(int length) => RunZeroCopy(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            if (!OnUring)
                return;
            var memory = new PinCountingMemory(Pattern(length));
            using var cancellation = new CancellationTokenSource();
            Task writing = client.WriteAsync(memory.Memory, cancellation.Token).AsTask();
            await SomeTurns();
            cancellation.Cancel();
            if (!Uncopied)
                await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            else
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
            Assert.Equal(0, memory.Pins);
            if (!Uncopied)
                return;
            // Something of it is lost, so there is nothing to be said after it.
            Assert.Equal(Errno.EPIPE, (await Assert.ThrowsAsync<KernelException>(async () => await client.WriteAsync(new byte[1]))).Errno);
            await Assert.ThrowsAsync<KernelException>(() => ReadPattern(server, length));
        }
    });

    [Fact]
    public void A_write_that_is_cancelled_before_it_has_sent_anything_does_no_harm() => RunZeroCopy(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            int filled = await FillUp(client);
            var memory = new PinCountingMemory(Pattern(Taken));
            using var cancellation = new CancellationTokenSource();
            Task writing = client.WriteAsync(memory.Memory, cancellation.Token).AsTask();
            await SomeTurns();
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
            Assert.Equal(0, memory.Pins);
            await server.ReadExactlyAsync(new byte[filled]);
            await client.WriteAsync(Bytes("after"));
            Assert.Equal("after", await ReadText(server, 5));
        }
    });

    [Fact]
    public void A_write_that_is_given_up_at_any_moment_has_sent_nothing_but_what_it_was() => RunZeroCopy(async () =>
    {
        var random = new Random(1);
        byte[] memory = new byte[Large];
        for (int i = 0; i < 60; i++)
        {
            (Connection client, Connection server) = await TcpPair();
            using (client)
            using (server)
            {
                int length = random.Next(Threshold, Large);
                s_pattern.AsSpan(0, length).CopyTo(memory);
                using var cancellation = new CancellationTokenSource();
                Task writing = client.WriteAsync(memory.AsMemory(0, length), cancellation.Token).AsTask();
                Task reading = ReadPattern(server, random.Next(length));
                for (int turn = random.Next(30); turn > 0; turn--)
                    await EventLoop.Yield();
                if (random.Next(3) == 0)
                    client.Dispose();
                else
                    cancellation.Cancel();
                await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                memory.AsSpan().Clear(); // somebody else's
                client.Dispose();
                try
                {
                    await reading;
                }
                catch (Exception exception) when (exception is KernelException or EndOfStreamException)
                {
                    // It was given up before so much had been sent.
                }
            }
        }
    });

    [Theory]
    [InlineData(Taken, false)]
    [InlineData(Large, false)]
    [InlineData(Taken, true)]
    [InlineData(Large, true)]
    public void A_connection_that_is_closed_over_a_write_lets_go_of_its_memory(int length, bool isOpenElsewhere) => RunZeroCopy(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (server)
        {
            int other = isOpenElsewhere ? Door.Fcntl(client.FileDescriptor, FcntlCommand.DupCloseOnExec, 0) : -1;
            var memory = new PinCountingMemory(Pattern(length));
            Task writing = client.WriteAsync(memory.Memory).AsTask();
            await SomeTurns();
            client.Dispose();
            if (Uncopied)
                await Assert.ThrowsAsync<ObjectDisposedException>(() => writing);
            else
                await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            Assert.Equal(0, memory.Pins);
            if (other >= 0)
                Door.Close(other);
            if (Uncopied)
                await Assert.ThrowsAsync<KernelException>(() => ReadPattern(server, length));
        }
    });

    [Theory]
    [InlineData(Taken)]
    [InlineData(Large)]
    public void A_peer_that_goes_lets_go_of_the_memory(int length) => RunZeroCopy(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        {
            var memory = new PinCountingMemory(Pattern(length));
            Task writing = client.WriteAsync(memory.Memory).AsTask();
            await SomeTurns();
            server.Abort();
            if (length == Large)
                Assert.Equal(Errno.ECONNRESET, (await Assert.ThrowsAsync<KernelException>(() => writing)).Errno);
            else
                await writing; // all of it was the kernel's, as with any write
            Assert.Equal(0, memory.Pins);
        }
    });

    [Theory]
    [InlineData(Taken)]
    [InlineData(Large)]
    public void The_loops_end_does_not_wait_for_a_peer_that_does_not_read(int length)
    {
        if (!OnUring)
            return;
        var memory = new PinCountingMemory(Pattern(length));
        Task? writing = null;
        int peer = -1;
        RunAbandoning(
            async () =>
            {
                (Connection client, Connection server) = await TcpPair();
                peer = server.ReleaseDescriptor(); // stays open beyond the loop
                writing = client.WriteAsync(memory.Memory).AsTask();
                await SomeTurns();
                Assert.Equal(Uncopied ? 1 : memory.Pins, memory.Pins);
            },
            options => (options.ZeroCopyThreshold, options.StopTimeout) = (Threshold, TimeSpan.Zero));
        Assert.Equal(0, memory.Pins);
        if (Uncopied)
            Assert.IsType<ObjectDisposedException>(writing!.Exception!.InnerException);
        Assert.Equal(0, InnerKernel.Close(peer));
    }

    [Theory]
    [InlineData(Errno.EOPNOTSUPP, 1)]
    [InlineData(Errno.ENOMEM, 2)]
    [InlineData(Errno.ENOBUFS, 2)]
    public void What_the_kernel_refuses_to_send_without_a_copy_is_copied(Errno refusal, int tries) => RunZeroCopy(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            Submissions.RefusesZeroCopy = refusal;
            for (int i = 0; i < 2; i++)
            {
                var memory = new PinCountingMemory(Pattern(Taken));
                Task writing = client.WriteAsync(memory.Memory).AsTask();
                await ReadPattern(server, Taken);
                await writing;
                Assert.Equal(0, memory.Pins);
            }

            Assert.Equal(OnUring ? tries : 0, Submissions.SubmittedOf(IoUringOp.SendZeroCopy));
            Submissions.Release();
        }
    });

    [Theory]
    [InlineData(Threshold)]
    [InlineData(int.MaxValue)]
    public void A_shutdown_comes_behind_a_large_write(int threshold) => Run(
        async () =>
        {
            if (!OnUring)
                return;
            (Connection client, Connection server) = await TcpPair();
            using (client)
            using (server)
            {
                Task writing = client.WriteAsync(Pattern(Large)).AsTask();
                await SomeTurns();
                client.ShutdownWrite();
                await ReadPattern(server, Large);
                await writing;
                Assert.Equal(0, await server.ReadAsync(new byte[1]));
            }
        },
        options => options.ZeroCopyThreshold = threshold);

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void A_threshold_is_positive(int threshold)
        => Assert.Throws<ArgumentOutOfRangeException>(() => Run(() => Task.CompletedTask, options => options.ZeroCopyThreshold = threshold));
}
