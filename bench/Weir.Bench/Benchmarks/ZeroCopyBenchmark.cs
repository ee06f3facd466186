using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Weir.Bench.Parts;
using Weir.Net;

namespace Weir.Bench.Benchmarks;

/// <summary>
/// Large writes one after the other over the loopback, with a copy and without (<see cref="LoopOptions.ZeroCopyThreshold"/>): what the notifications cost where
/// the kernel copies all the same, which is why the option is off.
/// </summary>
internal sealed class ZeroCopyBenchmark : IBenchmark
{
    private readonly Option<string> _sizes = new("--kib")
    {
        Description = "Sizes of the writes in KiB, separated by commas.",
        DefaultValueFactory = _ => "64,256,1024",
    };

    public string Name => "zerocopy";

    public string Description => "A stream of large writes, with IORING_OP_SEND_ZC and without.";

    public IReadOnlyList<Option> Options => [_sizes];

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        var table = new Table("KiB a write", "sends", "MiB/s", "/ with a copy", "CPU ms/GiB", "/ with a copy");
        foreach (string size in arguments.GetValue(_sizes)!.Split(','))
        {
            int length = int.Parse(size, CultureInfo.InvariantCulture) * 1024;
            Sender[] senders = [new(length, Copies: true), new(length, Copies: false)];
            foreach (Sender sender in senders)
                sender.Measure(settings.WarmUpSeconds * 3);
            Dictionary<Sender, List<Sample>> results = Rounds.Measure(settings.Rounds, senders, sender => sender.Measure(settings.Seconds));
            List<Sample> baseline = results[senders[0]];
            foreach ((Sender sender, List<Sample> samples) in results)
            {
                table.Add(
                    size,
                    sender.Copies ? "with a copy" : "without",
                    Text.Whole(Summary.Of(samples.Select(s => s.Rate)).Median),
                    Text.Ratio(Summary.OfRatios([.. samples.Select(s => s.Rate)], [.. baseline.Select(s => s.Rate)])),
                    Text.Whole(Summary.Of(samples.Select(s => s.Cpu)).Median),
                    Text.Ratio(Summary.OfRatios([.. samples.Select(s => s.Cpu)], [.. baseline.Select(s => s.Cpu)])));
                report.Keep(new { sender.Length, sender.Copies, Rounds = samples });
            }
        }

        Report.Say();
        Report.Say("Writes one after the other over the loopback; CPU is the sender's and the receiver's");
        table.Print(Console.Out);
    }

    /// <summary>MiB per second, and milliseconds of CPU for each GiB.</summary>
    private sealed record Sample(double Rate, double Cpu);

    private sealed record Sender(int Length, bool Copies)
    {
        public Sample Measure(double seconds)
        {
            using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen();
            var reader = new Thread(() => Drain(listener)) { Name = "reader" };
            reader.Start();
            double cpu = CpuClock.OfProcess(Environment.ProcessId);
            long start = Stopwatch.GetTimestamp();
            long bytes = EventLoop.Run(
                () => Send(listener.LocalEndPoint!, start + (long)(seconds * Stopwatch.Frequency)),
                new LoopOptions { Name = Name, ZeroCopyThreshold = Copies ? int.MaxValue : 1 });
            reader.Join();
            double time = Stopwatch.GetElapsedTime(start).TotalSeconds;
            return new Sample(bytes / time / (1 << 20), (CpuClock.OfProcess(Environment.ProcessId) - cpu) * 1000 * (1 << 30) / bytes);
        }

        private string Name => Copies ? "copying" : "not copying";

        private async Task<long> Send(EndPoint to, long end)
        {
            if (EventLoop.Current!.Statistics is { Backend: not "io_uring" } statistics)
                throw new BenchException($"there is no io_uring to send with: {statistics.BackendReason}");
            await using Connection connection = await Connection.ConnectAsync(to);
            byte[] block = GC.AllocateUninitializedArray<byte>(Length, pinned: true);
            long bytes = 0;
            for (; Stopwatch.GetTimestamp() < end; bytes += Length)
                await connection.WriteAsync(block);
            return bytes;
        }

        private static void Drain(Socket listener)
        {
            using Socket socket = listener.Accept();
            byte[] block = new byte[256 * 1024];
            while (socket.Receive(block) > 0)
            {
            }
        }
    }
}
