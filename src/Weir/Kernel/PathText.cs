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
        Write(text, bytes);
        return bytes;
    }

    /// <summary>As <see cref="Encode"/>, into memory with room for it; what is left of that becomes zeros.</summary>
    internal static void Write(ReadOnlySpan<char> text, Span<byte> into)
    {
        if (!MayHaveEscapes(text))
        {
            int count = Encoding.UTF8.GetBytes(text, into);
            into[count..].Clear();
            return;
        }

        while (!text.IsEmpty)
        {
            if (IsEscaped(text[0]))
            {
                into[0] = (byte)text[0];
                into = into[1..];
                text = text[1..];
                continue;
            }

            Rune.DecodeFromUtf16(text, out Rune rune, out int used); // another lone surrogate: U+FFFD
            into = into[rune.EncodeToUtf8(into)..];
            text = text[used..];
        }

        into.Clear();
    }

    /// <summary>How many bytes <see cref="Encode"/> makes of it, without a zero behind them.</summary>
    internal static int ByteCount(ReadOnlySpan<char> text)
    {
        if (!MayHaveEscapes(text))
            return Encoding.UTF8.GetByteCount(text);
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

    // Nearly all have none. Pairs of surrogates, of which the second is among these, are told apart on the long way.
    private static bool MayHaveEscapes(ReadOnlySpan<char> text) => text.ContainsAnyInRange((char)0xDC80, (char)0xDCFF);

    // At the beginning of a rune: the second half of a pair is never looked at alone.
    private static bool IsEscaped(char c) => c is >= (char)0xDC80 and <= (char)0xDCFF;
}
