namespace Weir.Bench.Modes;

/// <summary>What was found for one case.</summary>
internal sealed class Measurement(ModeCase subject)
{
    private readonly List<double> _nanoseconds = [];

    internal ModeCase Case { get; } = subject;

    /// <summary>System calls per message, counted at the door.</summary>
    internal double Calls { get; set; }

    /// <summary>The same, counted by strace(1); null where that was not asked for or is not there.</summary>
    internal double? TracedCalls { get; set; }

    /// <summary>CPU per message in nanoseconds, user and kernel together, of each round.</summary>
    internal IReadOnlyList<double> Nanoseconds => _nanoseconds;

    /// <summary>Runs one round on the real kernel and keeps its cost.</summary>
    internal void Round(bool keep)
    {
        using ModeCase subject = Case;
        subject.Open(Kernel.Linux);
        int messages = subject.MessagesPerRound;
        subject.Run(messages / 10); // caches and buffers of fresh descriptors
        TimeSpan before = Environment.CpuUsage.TotalTime;
        subject.Run(messages);
        TimeSpan cpu = Environment.CpuUsage.TotalTime - before;
        if (keep)
            _nanoseconds.Add(cpu.TotalNanoseconds / messages);
    }

    /// <summary>Counts the calls of a run: the difference of two lengths, so that opening and closing drop out.</summary>
    internal void Count()
    {
        Weir.Tests.CountingKernel kernel = new();
        using ModeCase subject = Case;
        subject.Open(kernel);
        subject.Run(2560);
        kernel.Reset();
        subject.Run(2560);
        Calls = kernel.Total / 2560.0;
    }

    /// <summary>Cost of each round against that of <paramref name="baseline"/> in the same round.</summary>
    internal double[] Against(Measurement baseline)
        => [.. _nanoseconds.Zip(baseline._nanoseconds, (own, other) => own / other).Order()];

    /// <summary>The value below which <paramref name="part"/> of the sorted values lie.</summary>
    internal static double Quantile(double[] sorted, double part)
    {
        double at = part * (sorted.Length - 1);
        int below = (int)at;
        return below + 1 < sorted.Length ? sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }
}
