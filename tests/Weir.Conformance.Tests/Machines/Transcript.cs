using System.Text;

namespace Weir.Conformance;

/// <summary>What a program did on one kernel, line by line, and how it failed if it did.</summary>
public sealed class Transcript
{
    private const int LinesBefore = 12;
    private const int LinesAfter = 4;

    internal Transcript(string machine, IReadOnlyList<string> lines, Exception? failure)
    {
        Machine = machine;
        Lines = lines;
        Failure = failure;
    }

    /// <summary>Whose it is.</summary>
    public string Machine { get; }

    /// <summary>One line a call.</summary>
    public IReadOnlyList<string> Lines { get; }

    /// <summary>What ended the program early.</summary>
    public Exception? Failure { get; }

    /// <summary>In how many lines a call was ended by a signal.</summary>
    internal int Interruptions => WithFailure().Count(line => line.Contains(nameof(Errno.EINTR), StringComparison.Ordinal));

    /// <summary>Fails the test, with all lines, if the program failed.</summary>
    public void AssertSucceeded()
    {
        if (Failure != null)
            Assert.Fail($"On {Machine}: {Describe(Failure)}\n\n{this}");
    }

    /// <summary>Fails the test at the first line in which the two differ, and shows both side by side.</summary>
    public static void AssertSame(Transcript left, Transcript right)
    {
        if (Difference(left, right) is { } difference)
            Assert.Fail(difference);
    }

    /// <summary>Both side by side around the first line in which they differ; null if they are the same.</summary>
    public static string? Difference(Transcript left, Transcript right)
    {
        List<string> one = left.WithFailure(), two = right.WithFailure();
        int at = 0;
        while (at < one.Count && at < two.Count && one[at] == two[at])
            at++;
        if (at == one.Count && at == two.Count)
            return null;

        int first = Math.Max(0, at - LinesBefore);
        int last = Math.Min(Math.Max(one.Count, two.Count), at + 1 + LinesAfter);
        int width = Math.Max(left.Machine.Length, Enumerable.Range(first, last - first).Max(i => At(one, i).Length));
        StringBuilder text = new();
        text.AppendLine($"Step {at + 1} differs between {left.Machine} and {right.Machine}:");
        text.AppendLine();
        text.AppendLine($"  {left.Machine.PadRight(width)} | {right.Machine}");
        for (int i = first; i < last; i++)
            text.AppendLine($"{(i == at ? '>' : ' ')} {At(one, i).PadRight(width)} | {At(two, i)}");
        return text.ToString();
    }

    private static string At(List<string> lines, int index) => index < lines.Count ? lines[index] : "";

    private List<string> WithFailure() => Failure == null ? [.. Lines] : [.. Lines, "! " + Failure.Message.Split('\n')[0]];

    private static string Describe(Exception failure) => failure is Xunit.Sdk.XunitException ? failure.Message : failure.ToString();

    public override string ToString() => string.Join('\n', Lines);
}
