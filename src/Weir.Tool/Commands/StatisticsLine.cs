using System.Globalization;
using Weir.Tool.Proxy;

namespace Weir.Tool.Commands;

/// <summary>What a proxy has done since the last line, as a line.</summary>
internal sealed class StatisticsLine(ProxyServer proxy, EventLoop loop)
{
    private long _time = loop.TimeProvider.GetTimestamp();
    private long _up;
    private long _down;
    private long _accepted;
    private long _turns;
    private int _active;

    /// <summary>Null: nothing has happened.</summary>
    internal string? Next()
    {
        ProxyStatistics now = proxy.Statistics;
        LoopStatistics turns = loop.Statistics;
        long time = loop.TimeProvider.GetTimestamp();
        double seconds = Math.Max(loop.TimeProvider.GetElapsedTime(_time, time).TotalSeconds, 1e-9);
        long up = now.ToUpstream.Bytes - _up, down = now.ToClient.Bytes - _down, accepted = now.Accepted - _accepted, turned = turns.Turns - _turns;
        bool news = up > 0 || down > 0 || accepted > 0 || now.Active != _active;
        (_time, _up, _down, _accepted, _turns, _active) = (time, now.ToUpstream.Bytes, now.ToClient.Bytes, now.Accepted, turns.Turns, now.Active);
        if (!news)
            return null;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"connections {now.Active} now, {now.Accepted} in all (+{accepted / seconds:0}/s) | to servers {Bytes(now.ToUpstream.Bytes)} ({Bytes(up / seconds)}/s) | to clients {Bytes(now.ToClient.Bytes)} ({Bytes(down / seconds)}/s) | spliced {Bytes(now.ToUpstream.Spliced + now.ToClient.Spliced)} | connect failures {now.ConnectFailures}, unreachable {now.Unreachable}, resets {now.Resets}, idle {now.IdleClosed} | turns {turns.Turns} ({turned / seconds:0}/s), longest {turns.LongestTurn.TotalMilliseconds:0.0} ms");
    }

    private static string Bytes(double bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        int unit = 0;
        while (bytes >= 1024 && unit < units.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }

        return bytes.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + units[unit];
    }
}
