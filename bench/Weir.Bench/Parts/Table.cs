namespace Weir.Bench.Parts;

/// <summary>A table on the console: words to the left, numbers to the right.</summary>
internal sealed class Table(params string[] headings)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells)
    {
        if (cells.Length != headings.Length)
        {
            throw new ArgumentException($"A row of this table has {headings.Length} cells.", nameof(cells));
        }

        _rows.Add(cells);
    }

    public void Print(TextWriter output)
    {
        int[] widths = [.. headings.Select((heading, i) => _rows.Select(row => row[i].Length).Append(heading.Length).Max())];
        bool[] numbers = [.. headings.Select((_, i) => i > 0 && _rows.All(row => row[i] is ['-' or (>= '0' and <= '9'), ..]))];
        foreach (string[] row in _rows.Prepend(headings))
        {
            IEnumerable<string> cells = row.Select((cell, i) => numbers[i] ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
            output.WriteLine("  " + string.Join("  ", cells).TrimEnd());
        }
    }
}

/// <summary>How numbers are written in the tables.</summary>
internal static class Text
{
    public static string Ratio(Summary ratio) => $"{ratio.Median:0.000} ({ratio.Min:0.00}..{ratio.Max:0.00})";

    public static string Whole(double value) => value.ToString("N0");

    public static string Micro(double value) => value.ToString(value < 10 ? "0.00" : value < 1000 ? "0.0" : "N0");
}
