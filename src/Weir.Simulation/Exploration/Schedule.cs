using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;

namespace Weir.Simulation;

/// <summary>
/// A run as it can be asked for again: its seed, and where the seed's own strategy is not to decide, the choices. As text a number, or a token:
/// "w1." and in base64url the seed, for each special choice how many plain ones come before it and which option it took, and a checksum.
/// </summary>
internal sealed class Schedule(ulong seed, IReadOnlyList<int>? taken = null)
{
    /// <summary>The environment variable that asks for one.</summary>
    internal const string Variable = "WEIR_SEED";

    private const string Version = "w1.";

    internal ulong Seed => seed;

    /// <summary>What each choice took; plain ones at the end may be left out. Null: the seed decides.</summary>
    internal IReadOnlyList<int>? Taken => taken;

    internal static Schedule Of(ulong seed, List<Choice> choices) => new(seed, TakenOf(choices));

    /// <summary>What they took, without the plain ones at the end.</summary>
    internal static int[] TakenOf(List<Choice> choices)
    {
        int length = choices.FindLastIndex(choice => choice.IsSpecial) + 1;
        var taken = new int[length];
        for (int i = 0; i < length; i++)
            taken[i] = choices[i].Taken;
        return taken;
    }

    internal Strategy Strategy(SimOptions options) => taken == null ? Simulation.Strategy.For(seed, options) : new ReplayStrategy(taken);

    /// <summary>The one that the environment asks for, if it does.</summary>
    /// <exception cref="FormatException">It asks for something else.</exception>
    internal static Schedule? FromEnvironment()
        => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } text
            ? TryParse(text, out string error) ?? throw new FormatException($"{Variable}: {error}")
            : null;

    /// <summary>Null: it is neither a seed nor a token; <paramref name="error"/> says why.</summary>
    internal static Schedule? TryParse(string text, out string error)
    {
        error = "";
        text = text.Trim();
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed))
            return new Schedule(seed);
        if (!text.StartsWith(Version, StringComparison.Ordinal))
        {
            error = $"\"{text}\" is neither a seed (a number) nor a token (\"{Version}...\").";
            return null;
        }

        string encoded = text[Version.Length..];
        if (!Base64Url.IsValid(encoded) || Decode(Base64Url.DecodeFromChars(encoded)) is not { } schedule)
        {
            error = $"\"{text}\" is no whole token: its checksum does not match. Was it cut short?";
            return null;
        }

        return schedule;
    }

    /// <summary>As text.</summary>
    internal string ToToken()
    {
        if (taken == null)
            return seed.ToString(CultureInfo.InvariantCulture);
        var bytes = new List<byte>();
        Put(bytes, seed);
        uint plain = 0;
        foreach (int choice in taken)
        {
            if (choice == 0)
            {
                plain++;
                continue;
            }

            Put(bytes, plain);
            Put(bytes, (uint)choice);
            plain = 0;
        }

        Span<byte> sum = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(sum, Checksum([.. bytes]));
        bytes.AddRange(sum);
        return Version + Base64Url.EncodeToString(bytes.ToArray());
    }

    private static Schedule? Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length <= sizeof(uint))
            return null;
        uint sum = BinaryPrimitives.ReadUInt32LittleEndian(bytes[^sizeof(uint)..]);
        bytes = bytes[..^sizeof(uint)];
        if (Checksum(bytes) != sum)
            return null;
        ulong seed = Take(ref bytes);
        var taken = new List<int>();
        while (!bytes.IsEmpty)
        {
            for (ulong plain = Take(ref bytes); plain > 0; plain--)
                taken.Add(0);
            taken.Add((int)Take(ref bytes));
        }

        return new Schedule(seed, taken);
    }

    // Seven bits a byte, the lowest first, the highest bit set where more follow.
    private static void Put(List<byte> bytes, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
    }

    private static ulong Take(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int shift = 0; !bytes.IsEmpty; shift += 7)
        {
            byte next = bytes[0];
            bytes = bytes[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                break;
        }

        return value;
    }

    // FNV-1a of 32 bits.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 2166136261;
        foreach (byte one in bytes)
            sum = (sum ^ one) * 16777619;
        return sum;
    }
}
