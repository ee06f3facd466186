using System.Runtime.InteropServices;

namespace Weir;

/// <summary>Strings as exec takes them: zero-terminated, and arrays of them that end with null. All in memory that does not move.</summary>
internal sealed unsafe class SpawnStrings : IDisposable
{
    private readonly List<nint> _blocks = [];

    /// <exception cref="ArgumentException">It has a zero character in it.</exception>
    internal byte* Add(string text, string what)
    {
        if (text.Contains('\0'))
            throw new ArgumentException($"{what} has a zero character in it, which would end it there.", what);
        int size = PathText.ByteCount(text) + 1;
        byte* block = Allocate(size);
        PathText.Write(text, new Span<byte>(block, size)); // names of files may be among them
        return block;
    }

    internal byte** AddAll(IReadOnlyList<string> texts, string what)
    {
        var array = (byte**)Allocate((texts.Count + 1) * sizeof(byte*));
        for (int i = 0; i < texts.Count; i++)
            array[i] = Add(texts[i] ?? throw new ArgumentException($"{what} has a null in it.", what), what);
        array[texts.Count] = null;
        return array;
    }

    private byte* Allocate(int size)
    {
        nint block = Marshal.AllocHGlobal(size);
        _blocks.Add(block);
        return (byte*)block;
    }

    public void Dispose()
    {
        foreach (nint block in _blocks)
            Marshal.FreeHGlobal(block);
        _blocks.Clear();
    }
}
