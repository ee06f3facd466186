using System.CommandLine;
using System.Runtime.InteropServices;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>
/// Ten thousand descriptors registered with an epoll set and removed again: one epoll_ctl each, through <see cref="Poller.Apply"/>, and through
/// a ring (IORING_OP_EPOLL_CTL), a batch of changes per call.
/// </summary>
internal sealed class RegistrationsBenchmark : IBenchmark
{
    private readonly Option<int> _count = new("--count") { Description = "Descriptors (eventfds).", DefaultValueFactory = _ => 10_000 };

    private readonly Option<int> _batch = new("--batch") { Description = "Changes per call of the ring.", DefaultValueFactory = _ => 256 };

    private readonly Option<bool> _counted = new("--counted") { Hidden = true, Description = "One contestant only, for strace to count." };

    private readonly Option<int> _contestant = new("--contestant") { Hidden = true, DefaultValueFactory = _ => -1 };

    public string Name => "registrations";

    public string Description => "Registering many descriptors with epoll: a call each, and batches through a ring.";

    public IReadOnlyList<Option> Options => [_count, _batch, _counted, _contestant];

    public int DefaultRounds => 20;

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        int count = arguments.GetValue(_count), batch = arguments.GetValue(_batch);
        using var descriptors = new Descriptors(count);
        using var calls = new Calls(descriptors.All);
        using var poller = new ThroughPoller(descriptors.All);
        using var ring = new ThroughRing(descriptors.All, batch);
        Contestant[] contestants = [calls, poller, ring];
        if (arguments.GetValue(_counted))
        {
            contestants[arguments.GetValue(_contestant)].Measure();
            return;
        }

        foreach (Contestant contestant in contestants)
            contestant.Measure();
        Dictionary<Contestant, List<(double Time, double Cpu)>> results = Rounds.Measure(settings.Rounds, contestants, c => c.Measure());
        Report.Say();
        Report.Say($"{count:N0} eventfds added to an epoll set and removed again; a ring in batches of {batch}");
        var table = new Table("contestant", "ns/change", "/ one call each", "CPU / one call each", "system calls/change");
        for (int i = 0; i < contestants.Length; i++)
        {
            Contestant contestant = contestants[i];
            Summary time = Ratio(contestant, calls, r => r.Time);
            table.Add(
                contestant.Name,
                Summary.Of(results[contestant].Select(r => r.Time)).Median.ToString("0"),
                Text.Ratio(time),
                Text.Ratio(Ratio(contestant, calls, r => r.Cpu)),
                (CountCalls(i, count, batch) / (2.0 * count)).ToString("0.000"));
            report.Keep(new { contestant.Name, Times = results[contestant].Select(r => r.Time), Cpu = results[contestant].Select(r => r.Cpu) });
        }

        table.Print(Console.Out);
        double ratio = Ratio(ring, calls, r => r.Cpu).Median;
        Report.Say($"  The ring takes {ratio:0.00} of the CPU of one call each, with hardly a system call: the work is in the set, not in the call.");
        Report.Say("  So Poller.Apply makes one call each, which needs no ring and no kernel that has this operation.");

        Summary Ratio(Contestant one, Contestant other, Func<(double Time, double Cpu), double> of)
            => Summary.OfRatios([.. results[one].Select(of)], [.. results[other].Select(of)]);
    }

    // What strace counts in a process that measures once, less what it counts in one that has no descriptors.
    private static double CountCalls(int contestant, int count, int batch)
    {
        string[] names = ["epoll_ctl", "io_uring_enter"];
        string file = Path.GetTempFileName();
        try
        {
            OtherProcess.Run(
                null, TimeSpan.FromMinutes(1), "strace", "-f", "-c", "-U", "calls,name", "-e", $"trace={string.Join(',', names)}", "-o", file,
                Environment.ProcessPath!, typeof(RegistrationsBenchmark).Assembly.Location, "registrations", "--counted", "--contestant", $"{contestant}", "--count", $"{count}", "--batch", $"{batch}");
            return File.ReadLines(file)
                .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Where(words => words.Length == 2 && names.Contains(words[1]))
                .Sum(words => double.Parse(words[0], System.Globalization.CultureInfo.InvariantCulture));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private sealed class Descriptors : IDisposable
    {
        public Descriptors(int count)
        {
            All = new int[count];
            Kernel.Linux.GetResourceLimit(ResourceLimit.OpenFiles, out _, out ulong hard);
            Kernel.Linux.SetResourceLimit(ResourceLimit.OpenFiles, hard, hard);
            for (int i = 0; i < count; i++)
            {
                All[i] = Kernel.Linux.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
                if (All[i] < 0)
                    throw new BenchException($"only {i} descriptors: raise `ulimit -Hn`");
            }
        }

        public int[] All { get; }

        public void Dispose()
        {
            foreach (int fd in All)
                Kernel.Linux.Close(fd);
        }
    }

    private abstract class Contestant(int[] fds) : IDisposable
    {
        public abstract string Name { get; }

        protected int[] Descriptors { get; } = fds;

        /// <summary>Nanoseconds, by the clock and of CPU, per change.</summary>
        public (double Time, double Cpu) Measure()
        {
            double cpu = CpuClock.OfProcess(Environment.ProcessId);
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            Add();
            Remove();
            double time = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalNanoseconds;
            return (time / (2.0 * Descriptors.Length), (CpuClock.OfProcess(Environment.ProcessId) - cpu) * 1e9 / (2.0 * Descriptors.Length));
        }

        public abstract void Dispose();

        protected abstract void Add();

        protected abstract void Remove();
    }

    private sealed class Calls(int[] fds) : Contestant(fds)
    {
        private readonly EpollSet _set = new(Kernel.Linux, 0);

        public override string Name => "one epoll_ctl each";

        public override void Dispose() => _set.Dispose();

        protected override void Add() => Change(EpollOp.Add);

        protected override void Remove() => Change(EpollOp.Delete);

        private void Change(EpollOp op)
        {
            foreach (int fd in Descriptors)
                KernelException.Check(_set.Control(op, fd, EpollEvents.In | EpollEvents.EdgeTriggered, (ulong)fd), "epoll_ctl", fd);
        }
    }

    private sealed class ThroughPoller(int[] fds) : Contestant(fds)
    {
        private readonly Poller _poller = new();
        private readonly PollerChange[] _adds = [.. fds.Select(fd => PollerChange.Add(fd, EpollEvents.In, fd, PollerMode.Edge))];
        private readonly PollerChange[] _removes = [.. fds.Select(PollerChange.Remove)];
        private readonly Errno[] _results = new Errno[fds.Length];

        public override string Name => "Poller.Apply";

        public override void Dispose() => _poller.Dispose();

        protected override void Add() => Apply(_adds);

        protected override void Remove() => Apply(_removes);

        private void Apply(PollerChange[] changes)
        {
            if (_poller.Apply(changes, _results) != 0)
                throw new BenchException("a change has failed");
        }
    }

    private sealed unsafe class ThroughRing(int[] fds, int batch) : Contestant(fds)
    {
        private readonly EpollSet _set = new(Kernel.Linux, 0);
        private readonly Ring _ring = Ring.Create(Kernel.Linux, (uint)batch, (uint)(2 * batch), IoUringSetupFlags.SingleIssuer | IoUringSetupFlags.DeferTaskRun | IoUringSetupFlags.TaskRunFlag);
        private readonly byte* _events = (byte*)NativeMemory.Alloc((nuint)(batch * 16));

        public override string Name => "a ring, in batches";

        public override void Dispose()
        {
            _ring.Dispose();
            _set.Dispose();
            NativeMemory.Free(_events);
        }

        protected override void Add() => Change(EpollOp.Add);

        protected override void Remove() => Change(EpollOp.Delete);

        private void Change(EpollOp op)
        {
            for (int first = 0; first < Descriptors.Length; first += batch)
            {
                int count = Math.Min(batch, Descriptors.Length - first);
                for (int i = 0; i < count; i++)
                {
                    int fd = Descriptors[first + i];
                    EpollEventLayout.Set(_events, i, EpollEvents.In | EpollEvents.EdgeTriggered, (ulong)fd);
                    ref Submission entry = ref _ring.Next();
                    entry.Op = IoUringOp.EpollCtl;
                    entry.Descriptor = _set.FileDescriptor;
                    entry.Length = (uint)op;
                    entry.Offset = (ulong)fd;
                    entry.Address = (ulong)(_events + i * EpollEventLayout.Size);
                }

                for (int done = 0; done < count;)
                {
                    KernelException.Check(_ring.Ready > 0 ? 0 : _ring.SubmitAndWait(-1), "io_uring_enter");
                    for (; _ring.Ready > 0; done++)
                    {
                        KernelException.Check(_ring.Peek(0).Result, "epoll_ctl");
                        _ring.Advance(1);
                    }
                }
            }
        }
    }
}
