namespace Weir.Simulation.Tests.Files;

/// <summary>
/// Files on a loop under many seeds: workers that come early and late, cancellations at any moment, interrupted waits, refused descriptors. What
/// was said to be written is there, what was said to be read is what was there, and nothing is left open.
/// </summary>
public sealed class AsyncFileSeedTests
{
    private const int Block = 64;
    private const int Blocks = 8;

    [Theory]
    [InlineData(DriverKind.Epoll, true, SimMode.Stepping)]
    [InlineData(DriverKind.IoUring, true, SimMode.Stepping)]
    [InlineData(DriverKind.Epoll, false, SimMode.Stepping)]
    [InlineData(DriverKind.Epoll, true, SimMode.Threads)]
    [InlineData(DriverKind.IoUring, true, SimMode.Threads)]
    public void Each_block_holds_what_its_last_write_put_there(DriverKind driver, bool withRing, SimMode mode)
    {
        int cancelled = 0, refused = 0, late = 0;
        string? backend = null;
        ulong seeds = mode == SimMode.Threads ? 8u : 40u;
        for (ulong seed = 0; seed < seeds; seed++)
        {
            var options = new SimOptions { Mode = mode };
            options.Faults.Add(SimFault.LateCompletion, 0.2)
                .Add(SimFault.Interrupted, 0.1)
                .Add(new FaultRule { Fault = SimFault.NoDescriptors, Probability = 0.1, Call = SystemCall.Open })
                .Add(new FaultRule { Fault = SimFault.NoMemory, Probability = 0.3, Call = SystemCall.IoUringRegister });
            if (!withRing)
                options.Faults.OnCall(call => call.Call == SystemCall.IoUringSetup ? Errno.EPERM : Errno.None);
            Sim.Run(
                seed,
                async sim =>
                {
                    SimLoop loop = sim.Loop(
                        "files",
                        async () =>
                        {
                            try
                            {
                                await using AsyncFile file = await AsyncFile.OpenAsync("/tmp/blocks", FileMode.Create, FileAccess.ReadWrite);
                                backend = EventLoop.Current!.Statistics.FileBackend;
                                await file.SetLengthAsync(Block * Blocks);
                                int seedOfWorkers = sim.Random.Next();
                                int[] ended = await Task.WhenAll(Enumerable.Range(0, Blocks).Select(block => Work(file, block, new Random(seedOfWorkers + block))));
                                cancelled += ended.Sum();
                            }
                            catch (KernelException exception) when (exception.Errno is Errno.EMFILE or Errno.ENFILE)
                            {
                                refused++;
                            }
                        },
                        configure: loopOptions => loopOptions.Driver = driver);
                    while (!loop.HasEnded)
                        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
                    if (loop.Exception is { } failure)
                        throw failure;
                    late += sim.Faults.Count(SimFault.LateCompletion);
                },
                options);
        }

        Assert.Equal(withRing ? "io_uring" : "calls", backend);
        Assert.InRange(refused, 0, (int)seeds - 1);
        Assert.True(!withRing || (cancelled > 0 && late > 0), $"{cancelled} cancelled, {late} late");
    }

    /// <summary>One task, one block: its operations follow one another, beside those of the others. Returns how many were cancelled.</summary>
    private static async Task<int> Work(AsyncFile file, int block, Random random)
    {
        int cancelled = 0;
        long offset = block * Block;
        byte[] before = new byte[Block], read = new byte[Block];
        for (int i = 0; i < 8; i++)
        {
            using var source = new CancellationTokenSource();
            Task cancelling = Task.CompletedTask;
            if (random.Next(3) == 0)
                cancelling = CancelAfter(source, random.Next(300));
            try
            {
                switch (random.Next(4))
                {
                    case 0:
                        byte[] next = new byte[Block];
                        random.NextBytes(next);
                        // Cancelled, it may have been written or not, and never in part: a block is one call.
                        try
                        {
                            await file.WriteAsync(next, offset, source.Token);
                            before = next;
                        }
                        catch (OperationCanceledException)
                        {
                            Assert.Equal(Block, await file.ReadAsync(read, offset));
                            Assert.True(read.AsSpan().SequenceEqual(before), "a write that was cancelled has been made");
                            throw;
                        }

                        break;
                    case 1:
                        await file.FlushAsync(dataOnly: true, source.Token);
                        break;
                    case 2:
                        Assert.Equal(Block * Blocks, (await file.GetStatusAsync(source.Token)).Size);
                        break;
                    default:
                        Array.Clear(read);
                        int count = await file.ReadAsync(new Memory<byte>[] { read.AsMemory(0, 10), read.AsMemory(10) }, offset, source.Token);
                        Assert.Equal(Block, count);
                        Assert.Equal(before, read);
                        break;
                }
            }
            catch (OperationCanceledException)
            {
                cancelled++;
            }

            await cancelling;
        }

        return cancelled;
    }

    private static async Task CancelAfter(CancellationTokenSource source, int microseconds)
    {
        await EventLoop.Current!.Delay(TimeSpan.FromMicroseconds(microseconds));
        source.Cancel();
    }

    /// <summary>A loop that ends with everything in flight, at any moment of it.</summary>
    [Theory]
    [InlineData(DriverKind.Epoll)]
    [InlineData(DriverKind.IoUring)]
    public void A_loop_ends_with_operations_in_flight_and_nothing_is_left(DriverKind driver)
    {
        for (ulong seed = 0; seed < 40; seed++)
        {
            var options = new SimOptions();
            options.Faults.Add(SimFault.LateCompletion, 0.3);
            Sim.Run(
                seed,
                async sim =>
                {
                    var ends = new List<Task>();
                    SimLoop loop = sim.Loop(
                        "files",
                        async () =>
                        {
                            AsyncFile file = await AsyncFile.OpenAsync("/tmp/left", FileMode.Create, FileAccess.ReadWrite);
                            for (int i = 0; i < 10; i++)
                            {
                                ends.Add(file.WriteAsync(new byte[100], i * 100).AsTask());
                                ends.Add(file.ReadAsync(new byte[100], i * 50).AsTask());
                                ends.Add(file.FlushAsync().AsTask());
                                ends.Add(AsyncFile.OpenAsync("/tmp/left").AsTask());
                            }

                            ends.Add(file.CloseAsync().AsTask());
                            await EventLoop.Current!.Delay(TimeSpan.FromMicroseconds(sim.Random.Next(200)));
                        },
                        configure: loopOptions => loopOptions.Driver = driver);
                    while (!loop.HasEnded)
                        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
                    Assert.Null(loop.Exception);
                    Assert.All(ends, end => Assert.True(end.IsCompletedSuccessfully || end.Exception?.InnerException is ObjectDisposedException, $"{end.Status} {end.Exception}"));
                },
                options);
        }
    }
}
