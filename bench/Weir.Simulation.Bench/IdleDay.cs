using System.Diagnostics;
using System.Net;
using Weir.Bench.Parts;
using Weir.Net;
using Weir.Simulation;

namespace Weir.Bench.Simulation;

/// <summary>A day of virtual time on a server with idle connections and a timer each minute: what time costs in which nothing happens.</summary>
internal static class IdleDay
{
    private const int Connections = 100;
    private const double Seconds = 1;

    private static readonly TimeSpan Day = TimeSpan.FromDays(1), Beat = TimeSpan.FromMinutes(1);

    internal static void Run(Report report)
    {
        int beats = 0, accepted = 0;
        TimeSpan passed = default;
        long began = Stopwatch.GetTimestamp();
        Sim.Run(1, async sim =>
        {
            using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            EndPoint server = listener.LocalEndPoint;
            sim.Loop("clients", async () =>
            {
                var connections = new List<Connection>();
                for (int i = 0; i < Connections; i++)
                    connections.Add(await Connection.ConnectAsync(server));
                await EventLoop.Current!.Delay(Day);
                foreach (Connection connection in connections)
                    connection.Dispose();
                passed = sim.Elapsed;
                listener.Dispose();
            });
            _ = EventLoop.Current!.Spawn(async () =>
            {
                while (sim.Elapsed < Day)
                {
                    await EventLoop.Current!.Delay(Beat);
                    beats++;
                }
            });
            await listener.AcceptAllAsync(async connection =>
            {
                accepted++;
                if (await connection.ReadAsync(new byte[1]) != 0)
                    throw new InvalidOperationException("An idle connection was not idle.");
            });
        });
        double elapsed = Stopwatch.GetElapsedTime(began).TotalSeconds;
        if (accepted != Connections || passed < Day || beats < Day / Beat)
            throw new InvalidOperationException($"The day went otherwise: {accepted} connections, {beats} beats, {passed}.");

        Report.Say();
        Report.Say($"a server with {accepted} idle connections and a timer each minute: {passed.TotalHours:0} h, {beats:N0} beats, in {elapsed * 1000:0} ms");
        report.Add(new Target("a day of idle virtual time, s", elapsed, Seconds));
    }
}
