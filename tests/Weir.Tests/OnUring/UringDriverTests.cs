using System.Net;
using Weir.Net;

namespace Weir.Tests;

/// <summary>What only the io_uring driver does.</summary>
public class UringDriverTests : NetTestBase
{
    protected override TestBed MakeBed() => new UringBed();

    private bool OnUring => MakeOptions().Driver == DriverKind.IoUring;

    [Fact]
    public void Auto_takes_it_where_it_can_be_had() => Run(
        () =>
        {
            Assert.Equal(OnUring ? "io_uring" : "epoll", Statistics.Backend);
            Assert.Equal(OnUring, Statistics.BackendReason == null);
            return Task.CompletedTask;
        },
        options => options.Driver = DriverKind.Auto);

    public static TheoryData<string, int, Errno> Refusals => new()
    {
        { nameof(Kernel.IoUringSetup), 1, Errno.ENOSYS },
        { nameof(Kernel.IoUringSetup), 1, Errno.EPERM },
        { nameof(Kernel.IoUringSetup), 1, Errno.ENOMEM },
        { nameof(Kernel.IoUringSetup), 1, Errno.EINVAL },
        { nameof(Kernel.MMap), 1, Errno.ENOMEM },
        { nameof(Kernel.MMap), 2, Errno.ENOMEM },
        { nameof(Kernel.MMap), 3, Errno.ENOMEM },
        { nameof(Kernel.MMap), 4, Errno.ENOMEM },
        { nameof(Kernel.IoUringRegister), 2, Errno.EINVAL },
        { nameof(Kernel.IoUringRegister), 3, Errno.EINVAL },
    };

    [Theory, MemberData(nameof(Refusals))]
    public void A_kernel_that_refuses_any_step_makes_Auto_take_epoll_and_say_why(string call, int which, Errno errno)
    {
        if (!OnUring)
            return;
        Door.FailAt(call, which, errno);
        Run(
            () =>
            {
                Assert.Equal("epoll", Statistics.Backend);
                Assert.Contains(errno.ToString(), Statistics.BackendReason, StringComparison.Ordinal);
                return Task.CompletedTask;
            },
            options => options.Driver = DriverKind.Auto);
        Assert.Empty(Door.OpenNow);
    }

    [Theory, MemberData(nameof(Refusals))]
    public void Asked_for_by_name_it_says_why_it_cannot_be_had_and_leaves_nothing(string call, int which, Errno errno)
    {
        if (!OnUring)
            return;
        Door.FailAt(call, which, errno);
        KernelException failure = Assert.Throws<KernelException>(() => Run(() => Task.CompletedTask));
        Assert.Equal(errno, failure.Errno);
        Assert.Empty(Door.OpenNow);
        Assert.Empty(Door.Faults);
    }

    [Fact]
    public void Messages_of_one_turn_cost_no_calls_of_their_own() => Run(async () =>
    {
        if (!OnUring)
            return;
        (Connection Client, Connection Server)[] pairs = [await TcpPair(), await TcpPair()];
        byte[] one = new byte[1];
        for (int i = 0; i < 10; i++)
            await PassOn();
        long calls = Door.Total, enters = Door.Count(nameof(Kernel.IoUringEnter));
        for (int i = 0; i < 100; i++)
            await PassOn();
        enters = Door.Count(nameof(Kernel.IoUringEnter)) - enters;
        Assert.InRange(enters, 100, 210);
        Assert.Equal(enters, Door.Total - calls);
        foreach ((Connection client, Connection server) in pairs)
        {
            client.Dispose();
            server.Dispose();
        }

        async ValueTask PassOn()
        {
            foreach ((Connection client, _) in pairs)
                await client.WriteAsync(one);
            foreach ((_, Connection server) in pairs)
                await server.ReadExactlyAsync(one);
        }
    });

    [Fact]
    public void A_message_alone_costs_no_call_but_the_one_that_waits() => Run(async () =>
    {
        if (!OnUring)
            return;
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            byte[] one = new byte[1];
            for (int i = 0; i < 10; i++)
                await RoundTrip();
            long calls = Door.Total, enters = Door.Count(nameof(Kernel.IoUringEnter));
            for (int i = 0; i < 100; i++)
                await RoundTrip();
            Assert.InRange(Door.Count(nameof(Kernel.IoUringEnter)) - enters, 200, 210);
            Assert.InRange(Door.Total - calls, 200, 210);

            async ValueTask RoundTrip()
            {
                await client.WriteAsync(one);
                await server.ReadExactlyAsync(one);
                await server.WriteAsync(one);
                await client.ReadExactlyAsync(one);
            }
        }
    });

    [Fact]
    public void A_sleep_is_told_when_it_ends_and_not_how_long_it_takes()
    {
        if (!OnUring || !TakesDeadlines())
            return;
        var waits = new WaitsKernel(InnerKernel);
        Run(
            async () =>
            {
                const long Hour = 3_600_000_000_000;
                using var cancellation = new CancellationTokenSource();
                waits.Deadline = 0;
                waits.WhenToldTo = cancellation.Cancel;
                long before = waits.ClockGetTime(ClockId.Monotonic);
                Task delay = EventLoop.Current!.Delay(TimeSpan.FromHours(1), cancellation.Token).AsTask();
                long after = waits.ClockGetTime(ClockId.Monotonic);
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => delay);
                Assert.InRange(waits.Deadline, before + Hour, after + Hour);
            },
            options => (options.Kernel, options.TimerSlack) = (waits, TimeSpan.Zero));

        static bool TakesDeadlines()
        {
            using Ring ring = Ring.Create(Weir.Kernel.Linux, 1, 2, IoUringSetupFlags.None);
            return ring.TakesDeadlines;
        }
    }

    /// <summary>Notes the first deadline that is waited for.</summary>
    private sealed unsafe class WaitsKernel(Kernel inner) : LedgerKernel(inner)
    {
        internal long Deadline { get; set; }

        /// <summary>What is done on another thread once it has been noted.</summary>
        internal Action WhenToldTo { get; set; } = () => { };

        public override int IoUringEnter(int fd, uint toSubmit, uint minComplete, IoUringEnterFlags flags, void* argument, nuint argumentSize)
        {
            if ((flags & IoUringEnterFlags.AbsoluteTimer) != 0 && Deadline == 0)
            {
                TimeSpec time = *((IoUringWaitArgument*)argument)->Timeout;
                Deadline = time.Seconds * 1_000_000_000 + time.Nanoseconds;
                Task.Run(WhenToldTo);
            }

            return base.IoUringEnter(fd, toSubmit, minComplete, flags, argument, argumentSize);
        }
    }

    [Fact]
    public void Connections_that_do_not_read_leave_buffers_to_the_others() => Run(
        async () =>
        {
            using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            var pairs = new List<(Connection Client, Connection Server)>();
            for (int i = 0; i < 12; i++)
            {
                ValueTask<Connection> accepting = listener.AcceptAsync();
                pairs.Add((await Connection.ConnectAsync(listener.LocalEndPoint), await accepting));
            }

            try
            {
                // All but the last send more than all buffers hold, and nobody reads it beyond the first byte.
                foreach ((Connection client, Connection server) in pairs.SkipLast(1))
                {
                    await client.WriteAsync(new byte[32 * 1024]);
                    await server.WaitForDataAsync();
                }

                await Until(() => !OnUring || Statistics.ReceiveBuffersInUse == 8);
                (Connection last, Connection peer) = pairs[^1];
                for (int i = 0; i < 100; i++)
                {
                    await last.WriteAsync(Bytes($"number {i,3}"));
                    Assert.Equal($"number {i,3}", await ReadText(peer, 10));
                }

                foreach ((Connection client, Connection server) in pairs.SkipLast(1))
                    await server.ReadExactlyAsync(new byte[32 * 1024]);
                Assert.Equal(0, Statistics.ReceiveBuffersInUse);
            }
            finally
            {
                foreach ((Connection client, Connection server) in pairs)
                {
                    client.Dispose();
                    server.Dispose();
                }
            }
        },
        options => (options.ReceiveBufferCount, options.ReceiveBufferSize) = (8, 4096));

    [Fact]
    public void More_buffers_than_the_kernel_was_offered_at_first_are_found_when_they_are_needed() => Run(async () =>
    {
        const int Count = 150; // connections that each hold a buffer; it begins with 32, and goes back to that
        using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var pairs = new List<(Connection Client, Connection Server)>();
        try
        {
            for (int i = 0; i < Count; i++)
            {
                ValueTask<Connection> accepting = listener.AcceptAsync();
                pairs.Add((await Connection.ConnectAsync(listener.LocalEndPoint), await accepting));
            }

            for (int round = 0; round < 3; round++)
            {
                Task[] arrivals = [.. pairs.Select(pair => pair.Server.WaitForDataAsync().AsTask())];
                for (int i = 0; i < Count; i++)
                    await pairs[i].Client.WriteAsync(Bytes($"number {i,3}"));
                await Task.WhenAll(arrivals);
                await Until(() => !OnUring || Statistics.ReceiveBuffersInUse > 128);
                for (int i = 0; i < Count; i++)
                    Assert.Equal($"number {i,3}", await ReadText(pairs[i].Server, 10));
                Assert.Equal(0, Statistics.ReceiveBuffersInUse);
            }
        }
        finally
        {
            foreach ((Connection client, Connection server) in pairs)
            {
                client.Dispose();
                server.Dispose();
            }
        }
    });

    [Fact]
    public void A_large_write_that_is_cancelled_ends_only_when_the_kernel_is_done_with_its_memory() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            byte[] memory = Pattern(1 << 24);
            using var cancellation = new CancellationTokenSource();
            Task writing = client.WriteAsync(memory, cancellation.Token).AsTask();
            await server.WaitForDataAsync();
            await EventLoop.Yield();
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
            // From here on it is somebody else's.
            memory.AsSpan().Clear();
            client.ShutdownWrite();
            byte[] block = new byte[65536];
            long total = 0;
            for (int count; (count = await server.ReadAsync(block)) > 0; total += count)
            {
                for (int i = 0; i < count; i++)
                    Assert.Equal(PatternAt(total + i), block[i]);
            }

            Assert.InRange(total, 1, memory.Length - 1);
        }
    });

    [Fact]
    public void What_was_written_arrives_though_the_connection_is_closed_at_once() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (server)
        {
            int filled = Fill(client);
            await EventLoop.Yield();
            filled += Fill(client);
            client.Dispose();
            byte[] got = new byte[filled];
            await server.ReadExactlyAsync(got);
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
        }
    });

    [Fact]
    public void A_shutdown_comes_behind_what_was_written() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            int filled = Fill(client);
            client.ShutdownWrite();
            await server.ReadExactlyAsync(new byte[filled]);
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
            Assert.Equal(Errno.EPIPE, (await Assert.ThrowsAsync<KernelException>(async () => await client.WriteAsync(new byte[1]))).Errno);
        }
    });

    [Fact]
    public void A_closed_connection_is_not_kept_for_ever_for_a_peer_that_makes_no_room() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (server)
        {
            await FillUp(client);
            int same = Door.Fcntl(client.FileDescriptor, FcntlCommand.DupCloseOnExec, 0);
            client.Dispose();
            Assert.Equal(OnUring ? 60_000 : 0, SocketCalls.GetOption(Door, same, SocketLevel.Tcp, SocketOption.TcpUserTimeout));
            Assert.Equal(0, Door.Close(same));
        }
    });

    [Fact]
    public void What_the_loops_end_has_cut_off_is_no_whole_to_the_peer()
    {
        if (!OnUring)
            return;
        int peer = -1, written = 0;
        RunAbandoning(
            async () =>
            {
                (Connection client, Connection server) = await TcpPair();
                peer = server.ReleaseDescriptor(); // stays open beyond the loop
                written = await FillUp(client);
            },
            options => options.StopTimeout = TimeSpan.Zero);
        int got = 0;
        Run(async () =>
        {
            using Connection server = Connection.FromDescriptor(peer);
            byte[] block = new byte[65536];
            KernelException reset = await Assert.ThrowsAsync<KernelException>(async () =>
            {
                for (int count; (count = await server.ReadAsync(block)) > 0;)
                    got += count;
            });
            Assert.Equal(Errno.ECONNRESET, reset.Errno);
        });
        Assert.InRange(got, 0, written - 1);
    }

    // The kernel tells of timestamps as of an error: a poll for something to read reports it in the middle of a large write.
    [Theory]
    [InlineData(30_000)]
    [InlineData(36_000)]
    [InlineData(60_000)]
    public void A_write_in_progress_is_not_begun_again_by_what_a_poll_tells(int length) => Run(async () =>
    {
        const SocketOption timestamping = (SocketOption)37;
        const int ofWhatIsAcknowledged = 1 << 9 | 1 << 1 | 1 << 4 | 1 << 7 | 1 << 11; // TX_ACK, TX_SOFTWARE, SOFTWARE, OPT_ID, OPT_TSONLY
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        using (SplicePipe pipe = SplicePipe.Create())
        {
            client.SendBufferSize = 4608;
            server.ReceiveBufferSize = 2304;
            // From here on what comes is left in the kernel, and polled for.
            await server.WriteAsync(new byte[1]);
            await client.WaitForDataAsync();
            while (!client.TryReadTo(pipe, out int count) || count == 0)
                await client.WaitForDataAsync();
            Task reading = client.WaitForDataAsync().AsTask();
            await SomeTurns();
            client.SetOption(SocketLevel.Socket, timestamping, ofWhatIsAcknowledged);
            byte[] memory = Pattern(length);
            Task writing = client.WriteAsync(memory).AsTask();
            await SomeTurns();
            byte[] got = new byte[length];
            await server.ReadExactlyAsync(got);
            await writing;
            Assert.Equal(memory, got);
            client.ShutdownWrite();
            Assert.Equal(0, await server.ReadAsync(got));
            await reading; // told of the timestamps
        }
    });

    [Fact]
    public void Memory_that_throws_as_it_is_let_go_of_ends_the_loop_and_leaves_nothing()
    {
        Exception failure = Assert.Throws<FormatException>(() => RunAbandoning(async () =>
        {
            (Connection client, Connection server) = await TcpPair();
            await client.WriteAsync(new StickyMemory(1 << 20).Memory).AsTask().WaitAsync(TestLoop.Limit);
        }));
        Assert.Equal("unpin", failure.Message);
        CheckBooks();
    }

    private sealed unsafe class StickyMemory(int length) : System.Buffers.MemoryManager<byte>
    {
        private readonly byte[] _bytes = GC.AllocateArray<byte>(length, pinned: true);

        public override Span<byte> GetSpan() => _bytes;

        public override System.Buffers.MemoryHandle Pin(int elementIndex = 0)
            => new((void*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, elementIndex), default, this);

        public override void Unpin() => throw new FormatException("unpin");

        protected override void Dispose(bool disposing)
        {
        }
    }

    [Fact]
    public void A_lent_descriptor_that_was_closed_unannounced_is_let_go_of_when_its_number_comes_back() => Run(async () =>
    {
        (int end, int peer) = RawPair();
        using var borrowed = new FdWatcher(end);
        Task wait = borrowed.WaitReadableAsync().AsTask();
        await EventLoop.Yield();
        Assert.Equal(0, Door.Close(end));
        int successor = Door.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
        if (successor != end)
            Assert.Equal(end, Door.Fcntl(successor, FcntlCommand.DupCloseOnExec, end));
        using var owned = new FdWatcher(end, FdOwnership.Owned, EpollEvents.In);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => wait);
        await Until(() => ReadOne(peer) == 0); // its file is closed in truth
        Assert.Equal(0, Door.Close(peer));
        if (successor != end)
            Assert.Equal(0, Door.Close(successor));
    });

    private static async Task SomeTurns()
    {
        for (int turn = 0; turn < 20; turn++)
            await EventLoop.Yield();
    }

    private unsafe (int, int) RawPair()
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, Door.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds));
        return (fds[0], fds[1]);
    }

    private unsafe int ReadOne(int fd)
    {
        byte one;
        return (int)InnerKernel.Receive(fd, &one, 1, MessageFlags.DontWait);
    }

    [Fact]
    public void Connections_accepted_ahead_are_closed_with_their_listener() => Run(async () =>
    {
        Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        ValueTask<Connection> accepting = listener.AcceptAsync();
        var clients = new List<Connection>();
        for (int i = 0; i < 100; i++)
            clients.Add(await Connection.ConnectAsync(listener.LocalEndPoint));
        (await accepting).Dispose();
        listener.Dispose();
        foreach (Connection client in clients)
        {
            try
            {
                Assert.Equal(0, await client.ReadAsync(new byte[1]));
            }
            catch (KernelException exception)
            {
                Assert.Equal(Errno.ECONNRESET, exception.Errno);
            }

            client.Dispose();
        }
    });

    [Fact]
    public void A_descriptor_is_not_given_away_with_data_that_only_the_loop_has() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        {
            await client.WriteAsync(Bytes("early"));
            await server.WaitForDataAsync();
            if (OnUring)
            {
                Assert.Throws<InvalidOperationException>(() => server.ReleaseDescriptor());
                Assert.Equal("early", await ReadText(server, 5));
            }

            int fd = server.ReleaseDescriptor();
            await client.WriteAsync(Bytes("late"));
            using Connection again = Connection.FromDescriptor(fd);
            Assert.Equal(OnUring ? "late" : "early", await ReadText(again, OnUring ? 4 : 5));
        }
    });

    [Fact]
    public void A_descriptor_may_be_given_away_right_after_a_write() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (server)
        {
            await client.WriteAsync(Bytes("before"));
            Assert.Equal(0, Door.Close(client.ReleaseDescriptor()));
            Assert.Equal("before", await ReadText(server, 6));
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
        }
    });

    [Fact]
    public void A_received_buffer_is_good_for_one_use() => Run(async () =>
    {
        if (!OnUring)
            return;
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await client.WriteAsync(Bytes("x"));
            await server.WaitForDataAsync();
            Assert.True(server.TryReceive(out ReceivedBuffer buffer));
            ReceivedBuffer copy = buffer;
            buffer.Dispose();
            Assert.Throws<InvalidOperationException>(() => copy.Dispose());
        }
    });
}
