using System.Globalization;

namespace Weir.Tool.Commands;

/// <summary>Times as people write them: 5, 0.5, 500ms, 5s, 2m, 1h. A bare number is seconds.</summary>
internal static class Duration
{
    private static readonly (string Unit, double Seconds)[] Units = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)];

    internal static bool TryParse(string text, out TimeSpan duration)
    {
        double unit = 1;
        string number = text;
        foreach ((string name, double seconds) in Units)
        {
            if (!text.EndsWith(name, StringComparison.Ordinal))
                continue;
            unit = seconds;
            number = text[..^name.Length];
            break;
        }

        duration = default;
        const double MostSeconds = 366 * 86400.0;
        if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) || value * unit is not (>= 0 and <= MostSeconds)) // nor NaN
            return false;
        duration = TimeSpan.FromSeconds(value * unit);
        return true;
    }
}
