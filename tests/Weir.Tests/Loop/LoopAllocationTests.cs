using Weir.Net;

namespace Weir.Tests;

/// <summary>
/// Steady traffic allocates nothing on the loop's thread. The calls before the count let pools fill, and the just-in-time compiler, which
/// replaces a method once it was called often and moves what it had kept for the slower one, come to rest.
/// </summary>
[Collection(Alone.Name)]
public class LoopAllocationTests : LoopTests
{
    private const int WarmUps = 5000, Count = 2000;

    // A counting kernel would do as well; this leaves nothing between the loop and the system call.
    protected override LoopOptions Options(Action<LoopOptions>? configure = null) => new() { Kernel = InnerKernel };

    [Fact]
    public void A_wait_on_a_lent_descriptor()
        => Run(async loop =>
        {
            (int read, int write) = Pipe();
            using var watcher = new FdWatcher(read);
            byte[] data = new byte[1];
            await AssertNone(WaitAndRead);

            async ValueTask WaitAndRead(int count)
            {
                for (int i = 0; i < count; i++)
                {
                    ValueTask wait = watcher.WaitReadableAsync();
                    Write(write, data);
                    await wait;
                    Read(read, data);
                }
            }
        });

    [Fact]
    public void A_wait_on_an_owned_descriptor()
        => Run(async loop =>
        {
            (int read, int write) = Pipe();
            using var watcher = new FdWatcher(HandOver(read), FdOwnership.Owned, EpollEvents.In);
            byte[] data = new byte[1];
            await AssertNone(WaitAndRead);

            async ValueTask WaitAndRead(int count)
            {
                for (int i = 0; i < count; i++)
                {
                    watcher.Clear(EpollEvents.In);
                    ValueTask wait = watcher.WaitReadableAsync();
                    Write(write, data);
                    await wait;
                    Read(read, data);
                }
            }
        });

    [Fact]
    public void A_delay()
        => Run(async loop =>
        {
            await AssertNone(Delays);

            async ValueTask Delays(int count)
            {
                for (int i = 0; i < count; i++)
                    await loop.Delay(TimeSpan.FromTicks(1));
            }
        });

    [Fact]
    public void A_timer_set_again_and_waited_for()
        => Run(async loop =>
        {
            using var timer = new LoopTimer();
            await AssertNone(Sets);

            async ValueTask Sets(int count)
            {
                for (int i = 0; i < count; i++)
                {
                    timer.Set(TimeSpan.FromSeconds(100));
                    timer.Set(TimeSpan.FromTicks(1));
                    await timer.WaitAsync();
                }
            }
        });

    [Fact]
    public void A_post_of_a_kept_delegate()
        => Run(async loop =>
        {
            Action<object?> delegateToPost = static _ => { };
            await AssertNone(Posts);

            async ValueTask Posts(int count)
            {
                for (int i = 0; i < count; i++)
                {
                    loop.Post(delegateToPost, null);
                    if (i % 10 == 0)
                        await EventLoop.Yield();
                }
            }
        });

    [ThreadedFact]
    public void A_message_echoed_over_a_socket_pair()
        => Run(async loop =>
        {
            var (left, right) = Connection.CreatePair();
            using Connection first = left, second = right;
            Task echo = loop.Spawn(async () =>
            {
                byte[] buffer = new byte[64];
                int count;
                while ((count = await right.ReadAsync(buffer)) > 0)
                    await right.WriteAsync(buffer.AsMemory(0, count));
            });
            byte[] message = new byte[64];
            await AssertNone(Messages);
            left.ShutdownWrite();
            await echo;

            async ValueTask Messages(int count)
            {
                int received = 0;
                for (int i = 0; i < count; i++)
                {
                    await left.WriteAsync(message);
                    received += await left.ReadAsync(message);
                }

                Assert.Equal(count * message.Length, received);
            }
        });

    [Theory]
    [InlineData(DriverKind.Epoll)]
    [InlineData(DriverKind.Auto)]
    public void Reads_and_writes_of_a_file(DriverKind driver)
    {
        string path = Path.GetTempFileName();
        TestLoop.Run(
            async () =>
            {
                await using AsyncFile file = await AsyncFile.OpenAsync(path, FileMode.Open, FileAccess.ReadWrite);
                using var source = new CancellationTokenSource();
                byte[] data = new byte[4096];
                Memory<byte>[] two = [data.AsMemory(0, 100), data.AsMemory(100)];
                await AssertNone(Transfers);

                async ValueTask Transfers(int count)
                {
                    for (int i = 0; i < count; i++)
                    {
                        await file.WriteAsync(data, 0, source.Token);
                        await file.ReadAsync(data, 0, source.Token);
                        await file.ReadAsync(two, 0);
                    }
                }
            },
            new LoopOptions { Kernel = InnerKernel, Driver = driver });
        File.Delete(path);
    }

    private static async Task AssertNone(Func<int, ValueTask> work)
    {
        await work(WarmUps);
        // The compiler works in the background and may still be exchanging methods: among a few rounds one must be clean.
        long least = long.MaxValue;
        for (int round = 0; round < 20 && least > Allowed; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            await work(Count);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.InRange(least, 0, Allowed);
    }

    // Less than a byte for each: a round is one call of an async method, whose state machine and last check cost a few hundred bytes.
    private const long Allowed = Count - 1;
}
