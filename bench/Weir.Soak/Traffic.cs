using System.Diagnostics;
using System.Net;
using Weir.Net;

namespace Weir.Bench.Soak;

/// <summary>The clients of one rig: runs acts until the phase is over. All but the counters belongs to the client loop's thread.</summary>
internal sealed class Traffic(Rig rig, Phase phase, Random random, long until)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Dictionary<Act, int> _running = [];

    public long Connections { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>Failures that the acts themselves brought about, or the lack of descriptors.</summary>
    public long Provoked { get; private set; }

    /// <summary>Runs on the client loop.</summary>
    public async ValueTask<bool> RunAsync()
    {
        Task all = Task.WhenAll(Enumerable.Range(0, phase.Clients).Select(_ => Client(new Random(random.Next()))));
        long left = until - Stopwatch.GetTimestamp();
        try
        {
            await all.WaitAsync(TimeSpan.FromSeconds(Math.Max(left, 0) / (double)Stopwatch.Frequency) + Limit);
        }
        catch (TimeoutException)
        {
            string stuck = string.Join(", ", _running.Where(pair => pair.Value > 0).Select(pair => $"{pair.Value} {pair.Key}"));
            throw new Finding($"{rig.Driver}, {phase.Name}: did not end within {Limit.TotalSeconds:0} s: {stuck}; {rig.Client.Statistics}; {rig.Server.Statistics}");
        }

        return true;
    }

    private async Task Client(Random mine)
    {
        while (Stopwatch.GetTimestamp() < until)
        {
            Act act = phase.Draw(mine);
            EndPoint endPoint = rig.EndPoints[mine.Next(rig.EndPoints.Count)];
            _running[act] = _running.GetValueOrDefault(act) + 1;
            try
            {
                await Perform(act, endPoint, mine);
            }
            catch (Finding finding)
            {
                throw new Finding($"{rig.Driver}, {phase.Name}, {act} at {endPoint}: {finding.Message}");
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
            {
                if (!IsProvoked(act, exception))
                    throw new Finding($"{rig.Driver}, {phase.Name}, {act} at {endPoint}: {exception.Message}", exception);
                Provoked++;
                if (phase.LacksDescriptors)
                    await rig.Client.Delay(TimeSpan.FromMilliseconds(2)); // or this is all that happens
            }

            _running[act]--;
        }
    }

    private bool IsProvoked(Act act, Exception exception) =>
        act is Act.Reset or Act.CancelledConnect or Act.CancelledWrite or Act.DisposedElsewhere
        || (phase.LacksDescriptors && exception is KernelException { Errno: Errno.EMFILE });

    private async Task Perform(Act act, EndPoint endPoint, Random mine)
    {
        if (act == Act.CancelledConnect)
        {
            using var cancel = new CancellationTokenSource();
            ValueTask<Connection> connecting = Connection.ConnectAsync(endPoint, cancellationToken: cancel.Token);
            if (mine.Next(2) == 0)
                cancel.Cancel();
            else
                _ = Task.Run(cancel.Cancel);
            using Connection connected = await connecting;
            return;
        }

        using Connection connection = await Connection.ConnectAsync(endPoint);
        Connections++;
        var exchange = new Exchange(connection, mine);
        await (act switch
        {
            Act.TinyMessages => exchange.TinyMessages(),
            Act.LargeMessage => exchange.LargeMessage(4 << 20),
            Act.SlowReader => exchange.SlowReader(),
            Act.HalfClose => exchange.HalfClose(),
            Act.Reset => exchange.Reset(),
            Act.CancelledReads => exchange.CancelledReads(),
            Act.CancelledWrite => exchange.CancelledWrite(),
            Act.DisposedElsewhere => exchange.DisposedElsewhere(),
            Act.UsedElsewhere => exchange.UsedElsewhere(),
            _ => throw new InvalidOperationException($"{act}"),
        });
        Bytes += exchange.Verified;
    }
}
