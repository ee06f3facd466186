using System.Globalization;
using System.Net;

namespace Weir.Bench.Soak;

/// <summary>
/// What the system knows of connections that did not end: whether the peer is still there, what a ring still waits for, and whether resets were
/// refused meanwhile. A reset that is not in sequence is answered by a challenge (RFC 5961), and the kernel sends few of those: without one, a
/// connection whose peer is gone stays open for good, and no program has leaked it.
/// </summary>
internal static class Remains
{
    /// <summary>Resets that were not in sequence, and those of them that were not even answered.</summary>
    public static (long Challenged, long Ignored) RefusedResets()
    {
        // Pairs of lines: the names, and the values in the same order.
        string[] lines = [.. File.ReadLines("/proc/net/netstat").Where(line => line.StartsWith("TcpExt:", StringComparison.Ordinal))];
        Dictionary<string, string> counters = lines[0].Split(' ').Zip(lines[1].Split(' ')).DistinctBy(pair => pair.First).ToDictionary(pair => pair.First, pair => pair.Second);
        return (Counter("TCPChallengeACK"), Counter("TCPACKSkippedChallenge"));

        long Counter(string name) => counters.TryGetValue(name, out string? value) ? long.Parse(value, CultureInfo.InvariantCulture) : 0;
    }

    /// <summary>One line each, about the connections of TCP servers and about the rings of this process.</summary>
    public static IEnumerable<string> Describe(IEnumerable<EndPoint> servers)
    {
        HashSet<int> ports = [.. servers.OfType<IPEndPoint>().Select(endPoint => endPoint.Port)];
        // sl local_address rem_address st tx_queue:rx_queue ...
        string[][] connections = [.. File.ReadLines("/proc/net/tcp").Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        foreach (string[] fields in connections.Where(fields => ports.Contains(PortOf(fields[1])) && fields[3] is not "0A"))
        {
            bool hasPeer = connections.Any(other => other[1] == fields[2] && other[2] == fields[1]);
            yield return $"port {PortOf(fields[1])} to {PortOf(fields[2])}: state {fields[3]}, queues {fields[4]}, its peer is {(hasPeer ? "there" : "gone")}";
        }

        foreach (string path in Directory.GetFiles("/proc/self/fdinfo"))
        {
            string[] lines = TryRead(path);
            if (!lines.Any(line => line.StartsWith("SqMask", StringComparison.Ordinal)))
                continue;
            string waiting = string.Join(", ", lines.Where(line => line.TrimStart().StartsWith("op=", StringComparison.Ordinal)).GroupBy(line => line.Trim()).Select(group => $"{group.Count()} x {group.Key}"));
            yield return $"ring {Path.GetFileName(path)} waits for: {waiting}";
        }
    }

    private static int PortOf(string address) => int.Parse(address.AsSpan(address.IndexOf(':') + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static string[] TryRead(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (IOException)
        {
            return []; // the descriptor the folder itself was read with
        }
    }
}
