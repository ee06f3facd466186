using System.Collections.Concurrent;
using System.CommandLine;
using System.Diagnostics;
using System.Threading.Channels;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>
/// Entries handed from one thread to another that runs them: posts to a loop, an unbounded channel, and a queue with a write to an
/// eventfd for each entry, as loops do that do not know whether they sleep.
/// </summary>
internal sealed class PostsBenchmark : IBenchmark
{
    /// <summary>So many entries at a time, then all must have run: no contestant may win by letting a queue grow.</summary>
    private const int Batch = 50_000;

    public string Name => "posts";

    public string Description => "Posting to a loop from another thread, beside a channel and one write per post.";

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        using var weir = new WeirContestant();
        using var channel = new ChannelContestant();
        using var writes = new WriteContestant();
        Contestant[] contestants = [weir, channel, writes];
        foreach (Contestant contestant in contestants)
            contestant.Measure(settings.WarmUpSeconds);
        Dictionary<Contestant, List<double>> rates = Rounds.Measure(settings.Rounds, contestants, c => c.Measure(settings.Seconds));

        Report.Say();
        Report.Say($"Entries posted by one thread and run by another, {Batch:N0} in flight");
        var table = new Table("contestant", "M entries/s", "/ channel", "wake-up writes / entry");
        foreach (Contestant contestant in contestants)
        {
            table.Add(
                contestant.Name,
                (Summary.Of(rates[contestant]).Median / 1e6).ToString("0.00"),
                Text.Ratio(Summary.OfRatios(rates[contestant], rates[channel])),
                contestant.WritesPerEntry.ToString("0.000000"));
            report.Keep(new { contestant.Name, Rates = rates[contestant], contestant.WritesPerEntry });
        }

        table.Print(Console.Out);
        report.Add(new Target("rate, loop / one write per post", Summary.OfRatios(rates[weir], rates[writes]).Median, 5, AtLeast: true));
        report.Add(new Target("rate, loop / unbounded channel", Summary.OfRatios(rates[weir], rates[channel]).Median, 1, AtLeast: true));
        (long asleep, long awake) = weir.CountWakeUps(1000);
        Report.Say($"  wake-up writes for 1,000 posts: {asleep} with the loop asleep before each, {awake} with the loop awake");
        report.Add(new Target("wake-up writes per post, asleep", asleep / 1000.0, 1));
        report.Add(new Target("wake-up writes per post, awake", awake / 1000.0, 0));
    }

    private abstract class Contestant : IDisposable
    {
        private long _ran;

        public abstract string Name { get; }

        /// <summary>Over all that was measured.</summary>
        public virtual double WritesPerEntry => 0;

        protected long Posted { get; private set; }

        /// <summary>Entries per second.</summary>
        public double Measure(double seconds)
        {
            long start = Stopwatch.GetTimestamp(), end = start + (long)(seconds * Stopwatch.Frequency), entries = 0;
            while (Stopwatch.GetTimestamp() < end)
            {
                for (int i = 0; i < Batch; i++)
                    Post();
                Posted += Batch;
                entries += Batch;
                SpinWait spin = default;
                while (Volatile.Read(ref _ran) < Posted)
                    spin.SpinOnce(sleep1Threshold: -1);
            }

            return entries / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        public abstract void Dispose();

        protected abstract void Post();

        // The same small work everywhere, on the consumer's thread only.
        protected void CountOne() => Volatile.Write(ref _ran, _ran + 1);
    }

    private sealed class WeirContestant : Contestant
    {
        private readonly LoopThread _thread = new("posts");
        private readonly Action<object?> _entry;

        public WeirContestant() => _entry = _ => CountOne();

        public override string Name => "weir: EventLoop.Post";

        public override double WritesPerEntry => (double)_thread.Loop.Statistics.WakeUpsSent / Math.Max(1, Posted);

        public override void Dispose() => _thread.Dispose();

        /// <summary>Wake-ups for posts to a loop that is certainly asleep, and to one that is certainly awake.</summary>
        public (long Asleep, long Awake) CountWakeUps(int posts)
        {
            EventLoop loop = _thread.Loop;
            long before = loop.Statistics.WakeUpsSent;
            for (int i = 0; i < posts; i++)
            {
                loop.WaitUntilAsleep();
                using var ran = new ManualResetEventSlim();
                loop.Post(_ => ran.Set(), null);
                ran.Wait();
            }

            long asleep = loop.Statistics.WakeUpsSent - before;
            // An entry holds the loop awake while the posts are made.
            using var holding = new ManualResetEventSlim();
            using var release = new ManualResetEventSlim();
            loop.Post(_ =>
            {
                holding.Set();
                release.Wait();
            }, null);
            holding.Wait();
            before = loop.Statistics.WakeUpsSent;
            for (int i = 0; i < posts; i++)
                loop.Post(static _ => { }, null);
            long awake = loop.Statistics.WakeUpsSent - before;
            release.Set();
            return (asleep, awake);
        }

        protected override void Post() => _thread.Loop.Post(_entry, null);
    }

    private sealed class ChannelContestant : Contestant
    {
        private readonly Channel<Action<object?>> _channel = Channel.CreateUnbounded<Action<object?>>(new UnboundedChannelOptions { SingleReader = true });
        private readonly Task _consumer;
        private readonly Action<object?> _entry;

        public ChannelContestant()
        {
            _entry = _ => CountOne();
            _consumer = Task.Run(async () =>
            {
                while (await _channel.Reader.WaitToReadAsync())
                {
                    while (_channel.Reader.TryRead(out Action<object?>? entry))
                        entry(null);
                }
            });
        }

        public override string Name => "unbounded Channel, one reader";

        public override void Dispose()
        {
            _channel.Writer.Complete();
            _consumer.Wait();
        }

        protected override void Post() => _channel.Writer.TryWrite(_entry);
    }

    /// <summary>The same queue as the loop's, and a wake-up written for every entry.</summary>
    private sealed unsafe class WriteContestant : Contestant
    {
        private readonly ConcurrentQueue<Action<object?>> _queue = new();
        private readonly Action<object?> _entry;
        private readonly int _eventFd;
        private readonly int _epoll;
        private readonly Thread _thread;
        private volatile bool _stop;

        public WriteContestant()
        {
            _entry = _ => CountOne();
            Kernel kernel = Kernel.Linux;
            _eventFd = kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
            _epoll = kernel.EpollCreate1(FileFlags.CloseOnExec);
            byte* registration = stackalloc byte[16];
            EpollEventLayout.Set(registration, 0, EpollEvents.In | EpollEvents.EdgeTriggered, 0);
            if (_eventFd < 0 || _epoll < 0 || kernel.EpollCtl(_epoll, EpollOp.Add, _eventFd, registration) < 0)
                throw new BenchException("no descriptors for an eventfd and an epoll set");
            _thread = new Thread(Consume) { IsBackground = true };
            _thread.Start();
        }

        public override string Name => "queue, one eventfd write per post";

        public override double WritesPerEntry => 1;

        public override void Dispose()
        {
            _stop = true;
            Wake();
            _thread.Join();
            Kernel.Linux.Close(_eventFd);
            Kernel.Linux.Close(_epoll);
        }

        protected override void Post()
        {
            _queue.Enqueue(_entry);
            Wake();
        }

        private void Wake()
        {
            ulong one = 1;
            Kernel.Linux.Write(_eventFd, &one, sizeof(ulong));
        }

        private void Consume()
        {
            byte* events = stackalloc byte[16];
            while (!_stop)
            {
                while (_queue.TryDequeue(out Action<object?>? entry))
                    entry(null);
                Kernel.Linux.EpollWait(_epoll, events, 1, -1);
            }
        }
    }
}
