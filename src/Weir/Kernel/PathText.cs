using System.Buffers;
using System.Text;

namespace Weir;

/// <summary>
/// Paths of Linux as text and back without loss: bytes of a name that are no UTF-8 become lone low surrogates (U+DC80 to U+DCFF), which no
/// valid UTF-8 decodes to.
/// </summary>
internal static class PathText
{
    private const int Escape = 0xDC00;

    /// <summary>The text of a name or path.</summary>
    internal static string Decode(ReadOnlySpan<byte> bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes))
            return Encoding.UTF8.GetString(bytes);
        var text = new StringBuilder(bytes.Length);
        Span<char> chars = stackalloc char[2];
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out Rune rune, out int used) == OperationStatus.Done)
            {
                text.Append(chars[..rune.EncodeToUtf16(chars)]);
            }
            else
            {
                used = 1; // one at a time, whatever the decoder would skip
                text.Append((char)(Escape | bytes[0]));
            }

            bytes = bytes[used..];
        }

        return text.ToString();
    }

    /// <summary>The bytes of a name or path, with a zero behind them if asked for.</summary>
    internal static byte[] Encode(ReadOnlySpan<char> text, bool terminated = false)
    {
        byte[] bytes = new byte[ByteCount(text) + (terminated ? 1 : 0)];
        Span<byte> rest = bytes;
        while (!text.IsEmpty)
        {
            if (IsEscaped(text[0]))
            {
                rest[0] = (byte)text[0];
                rest = rest[1..];
                text = text[1..];
                continue;
            }

            Rune.DecodeFromUtf16(text, out Rune rune, out int used); // another lone surrogate: U+FFFD
            rest = rest[rune.EncodeToUtf8(rest)..];
            text = text[used..];
        }

        return bytes;
    }

    /// <summary>How many bytes <see cref="Encode"/> makes of it.</summary>
    internal static int ByteCount(ReadOnlySpan<char> text)
    {
        int count = 0;
        while (!text.IsEmpty)
        {
            if (IsEscaped(text[0]))
            {
                count++;
                text = text[1..];
                continue;
            }

            Rune.DecodeFromUtf16(text, out Rune rune, out int used);
            count += rune.Utf8SequenceLength;
            text = text[used..];
        }

        return count;
    }

    // At the beginning of a rune: the second half of a pair is never looked at alone.
    private static bool IsEscaped(char c) => c is >= (char)0xDC80 and <= (char)0xDCFF;
}
