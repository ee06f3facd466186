using System.Globalization;
using System.Text.RegularExpressions;

namespace Weir.Tests;

/// <summary>Reads the constants of linux/io_uring.h: members of enums, counted up, and defines of a number or a shifted one.</summary>
internal static partial class UringHeader
{
    internal static Dictionary<string, long> Read(string text)
    {
        text = Comment().Replace(text, "");
        var found = new Dictionary<string, long>();
        foreach (Match define in Define().Matches(text))
        {
            if (TryValue(define.Groups["value"].Value, found, out long value))
                found[define.Groups["name"].Value] = value;
        }

        foreach (Match body in EnumBody().Matches(text))
        {
            long next = 0;
            foreach (string member in body.Groups["body"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                string[] parts = member.Split('=', StringSplitOptions.TrimEntries);
                if (parts.Length == 2 && TryValue(parts[1], found, out long value))
                    next = value;
                found[parts[0]] = next++;
            }
        }

        return found;
    }

    private static bool TryValue(string text, Dictionary<string, long> known, out long value)
    {
        text = text.Trim().Trim('(', ')').Trim();
        string[] shift = text.Split("<<", StringSplitOptions.TrimEntries);
        if (shift.Length == 2 && TryNumber(shift[0], known, out long one) && TryNumber(shift[1], known, out long by))
        {
            value = one << (int)by;
            return true;
        }

        return TryNumber(text, known, out value);
    }

    private static bool TryNumber(string text, Dictionary<string, long> known, out long value)
    {
        if (known.TryGetValue(text, out value))
            return true;
        text = text.TrimEnd('U', 'L', 'u', 'l');
        return text.StartsWith("0x", StringComparison.Ordinal)
            ? long.TryParse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out value)
            : long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out value);
    }

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"^#define[ \t]+(?<name>IO[A-Z0-9_]+)[ \t]+(?<value>\S[^\n]*)$", RegexOptions.Multiline)]
    private static partial Regex Define();

    [GeneratedRegex(@"enum(?:\s+\w+)?\s*\{(?<body>[^}]*)\}", RegexOptions.Singleline)]
    private static partial Regex EnumBody();
}
