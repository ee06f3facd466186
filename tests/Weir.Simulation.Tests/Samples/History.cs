using System.Globalization;
using System.Text;

namespace Weir.Simulation.Tests;

/// <summary>What the clients of a store did, and when: each operation from where it began to where it ended.</summary>
/// <remarks>
/// Moments are numbers in the order in which things happened, all different: one thread of a simulation runs at a time, and what happens at one virtual time has
/// an order too.
/// </remarks>
internal sealed class History(Func<TimeSpan> clock)
{
    private readonly List<Operation> _operations = [];
    private long _moment;

    internal IReadOnlyList<Operation> Operations => _operations;

    internal Operation BeginGet(string client, string key) => Begin(client, key, isSet: false, null);

    /// <param name="client">Who sets.</param>
    /// <param name="key">What.</param>
    /// <param name="value">To what: no value is set twice.</param>
    internal Operation BeginSet(string client, string key, string? value) => Begin(client, key, isSet: true, value);

    internal void EndGet(Operation get, string? value)
    {
        get.Value = value;
        EndSet(get);
    }

    internal void EndSet(Operation operation) => (operation.End, operation.EndTime) = (_moment++, clock());

    /// <exception cref="NotLinearizableException">The operations on a key are not as those of one register.</exception>
    internal void Check()
    {
        foreach (IGrouping<string, Operation> key in _operations.GroupBy(operation => operation.Key))
        {
            if (Linearizability.FindConflict(key) is { } conflict)
                throw new NotLinearizableException($"{key.Key} is not linearizable: {conflict}\n{Describe(key)}");
        }
    }

    private Operation Begin(string client, string key, bool isSet, string? value)
    {
        var operation = new Operation { Client = client, Key = key, IsSet = isSet, Value = value, Start = _moment++, StartTime = clock() };
        _operations.Add(operation);
        return operation;
    }

    private static string Describe(IEnumerable<Operation> operations)
    {
        var text = new StringBuilder();
        foreach (Operation operation in operations)
            text.Append("  ").AppendLine(operation.ToString());
        return text.ToString().TrimEnd();
    }
}

/// <summary>One get or set.</summary>
internal sealed class Operation
{
    /// <summary>It has not ended, and if it is a set, may still take effect; of gets that did not end nothing is known.</summary>
    internal const long Never = long.MaxValue;

    internal required string Client { get; init; }

    internal required string Key { get; init; }

    internal required bool IsSet { get; init; }

    /// <summary>What was set or found; null: nothing.</summary>
    internal required string? Value { get; set; }

    internal required long Start { get; init; }

    internal long End { get; set; } = Never;

    internal TimeSpan StartTime { get; init; }

    internal TimeSpan EndTime { get; set; }

    public override string ToString()
    {
        string end = End == Never ? "never ended" : Seconds(EndTime);
        string what = IsSet ? $"set {Key} to {Value}" : End == Never ? $"get {Key}" : $"get {Key}: {Value ?? "nothing"}";
        return $"{Seconds(StartTime)} to {end}  {Client}  {what}";
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.000000", CultureInfo.InvariantCulture);
}

internal sealed class NotLinearizableException(string message) : Exception(message);
