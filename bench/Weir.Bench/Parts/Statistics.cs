namespace Weir.Bench.Parts;

/// <summary>What many samples of one quantity come to.</summary>
internal sealed record Summary(double Min, double LowerQuartile, double Median, double UpperQuartile, double Max)
{
    public static Summary Of(IEnumerable<double> samples)
    {
        double[] sorted = [.. samples.Order()];
        if (sorted.Length == 0)
        {
            throw new ArgumentException("There is nothing to summarise.", nameof(samples));
        }

        return new Summary(sorted[0], Quantile(sorted, 0.25), Quantile(sorted, 0.5), Quantile(sorted, 0.75), sorted[^1]);
    }

    /// <summary>
    /// The ratio of two peers round by round: the two samples of one round were taken seconds apart, so what slows
    /// the machine for minutes cancels out, which it does not in a ratio of two medians.
    /// </summary>
    public static Summary OfRatios(IReadOnlyList<double> samples, IReadOnlyList<double> baseline) =>
        samples.Count == baseline.Count
            ? Of(samples.Zip(baseline, (sample, unit) => sample / unit))
            : throw new ArgumentException("Each sample needs its own baseline.", nameof(baseline));

    /// <summary>How far the middle half of the samples spreads, as a share of the median.</summary>
    public double Spread => (UpperQuartile - LowerQuartile) / Median;

    private static double Quantile(double[] sorted, double share)
    {
        double position = share * (sorted.Length - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((position - below) * (sorted[above] - sorted[below]));
    }
}

/// <summary>A straight line through points.</summary>
internal static class Line
{
    /// <summary>The slope of the least-squares line: what one more x costs in y.</summary>
    public static double Slope(IReadOnlyList<(double X, double Y)> points)
    {
        double meanX = points.Average(p => p.X);
        double meanY = points.Average(p => p.Y);
        double over = points.Sum(p => (p.X - meanX) * (p.Y - meanY));
        double under = points.Sum(p => (p.X - meanX) * (p.X - meanX));
        return over / under;
    }
}
