namespace Weir.Simulation.Tests;

/// <summary>
/// Whether the operations on a register, to which no value is written twice, could each have happened at one moment between its start and its end: the
/// zones of Gibbons and Korach ("Testing shared memories", 1997).
/// </summary>
/// <remarks>
/// The set of a value and the gets that found it are a cluster. While the register holds the value nothing else may happen to it, so that the moments of a
/// cluster lie together, without those of others between. A cluster whose last start comes after its first end must hold the register from that end
/// to that start (a forward zone); any other can do with a single moment in which all its operations overlap (a backward zone). All is well if
/// no two forward zones overlap, no backward zone lies wholly inside a forward one, and no get ended before the set of its value began.
/// </remarks>
internal static class Linearizability
{
    /// <summary>What contradicts it, in words; null: nothing does.</summary>
    internal static string? FindConflict(IEnumerable<Operation> operations)
    {
        // Nothing is there from the beginning, as if somebody had set it.
        var clusters = new Dictionary<string, Cluster> { [""] = new Cluster("nothing") { FirstEnd = -1, LastStart = -1, SetStart = -1 } };
        foreach (Operation operation in operations)
        {
            if (!operation.IsSet && operation.End == Operation.Never)
                continue;
            string value = operation.Value ?? "";
            if (!clusters.TryGetValue(value, out Cluster? cluster))
                clusters.Add(value, cluster = new Cluster(value));
            cluster.Add(operation);
        }

        foreach (Cluster cluster in clusters.Values)
        {
            if (cluster.SetStart == Operation.Never)
                return $"{cluster.Value} was found, and nobody has set it.";
            if (cluster.FirstEnd < cluster.SetStart)
                return $"{cluster.Value} was found before it was set.";
        }

        Cluster[] forward = [.. clusters.Values.Where(cluster => cluster.IsForward).OrderBy(cluster => cluster.From)];
        for (int i = 1; i < forward.Length; i++)
        {
            if (forward[i].From < forward[i - 1].To)
                return $"{forward[i - 1].Value} and {forward[i].Value} must both have been there at one time.";
        }

        foreach (Cluster cluster in clusters.Values.Where(cluster => !cluster.IsForward))
        {
            // The only one that can contain it: they do not overlap.
            int at = Array.FindLastIndex(forward, zone => zone.From < cluster.From);
            if (at >= 0 && cluster.To < forward[at].To)
                return $"{cluster.Value} must have been there while {forward[at].Value} was.";
        }

        return null;
    }

    private sealed class Cluster(string value)
    {
        internal string Value => value;

        internal long SetStart { get; set; } = Operation.Never;

        internal long FirstEnd { get; set; } = Operation.Never;

        internal long LastStart { get; set; } = long.MinValue;

        internal bool IsForward => FirstEnd < LastStart;

        internal long From => Math.Min(FirstEnd, LastStart);

        internal long To => Math.Max(FirstEnd, LastStart);

        internal void Add(Operation operation)
        {
            if (operation.IsSet)
                SetStart = operation.Start;
            FirstEnd = Math.Min(FirstEnd, operation.End);
            LastStart = Math.Max(LastStart, operation.Start);
        }
    }
}
