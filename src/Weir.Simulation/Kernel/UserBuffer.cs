namespace Weir.Simulation;

/// <summary>
/// The caller's memory in one call: one buffer or several, filled or emptied from the front. What cannot be reached is a fault, as the
/// kernel's copy_to_user and copy_from_user report it.
/// </summary>
internal unsafe ref struct UserBuffer
{
    private IoVector* _vectors;
    private int _count;
    private nuint _offset; // into the first vector

    internal UserBuffer(IoVector* vectors, int count)
    {
        _vectors = vectors;
        _count = count;
        for (int i = 0; i < count; i++)
            Length += vectors[i].Length;
    }

    /// <summary>Bytes that are left.</summary>
    internal nuint Length { get; private set; }

    /// <summary>Bytes that are left of the buffer that is next to be filled.</summary>
    internal nuint VectorLength
    {
        get
        {
            while (_count > 1 && _offset == _vectors->Length)
            {
                _vectors++;
                _count--;
                _offset = 0;
            }

            return _count > 0 ? _vectors->Length - _offset : 0;
        }
    }

    /// <summary>Copies to the caller. False: EFAULT; what was copied before stays.</summary>
    internal bool Put(scoped ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> room = Next(bytes.Length, out bool fault);
            if (fault)
                return false;
            bytes[..room.Length].CopyTo(room);
            bytes = bytes[room.Length..];
        }

        return true;
    }

    /// <summary>Copies from the caller. False: EFAULT.</summary>
    internal bool Take(scoped Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> source = Next(bytes.Length, out bool fault);
            if (fault)
                return false;
            source.CopyTo(bytes);
            bytes = bytes[source.Length..];
        }

        return true;
    }

    // The next stretch of the caller's memory, at most so long.
    private Span<byte> Next(int most, out bool fault)
    {
        while (_count > 0 && _offset == _vectors->Length)
        {
            _vectors++;
            _count--;
            _offset = 0;
        }

        int length = (int)Math.Min((nuint)most, _vectors->Length - _offset);
        byte* start = (byte*)_vectors->Base + _offset;
        fault = !UserMemory.IsMapped(start, (nuint)length);
        if (fault)
            return default;
        _offset += (nuint)length;
        Length -= (nuint)length;
        return new Span<byte>(start, length);
    }
}

/// <summary>
/// Which addresses a caller may hand in. Everything counts as mapped but the first page and what a program under test has declared
/// unmapped, since asking the real kernel about every buffer would cost a system call each.
/// </summary>
internal static unsafe class UserMemory
{
    private const nuint PageSize = 4096;

    private static volatile (nuint Start, nuint End)[] s_unmapped = [];

    /// <summary>Declares a range unmapped. Any thread.</summary>
    internal static void Unmap(void* start, nuint length)
    {
        lock (typeof(UserMemory))
            s_unmapped = [.. s_unmapped, ((nuint)start, (nuint)start + length)];
    }

    /// <summary>Takes that back.</summary>
    internal static void Map(void* start)
    {
        lock (typeof(UserMemory))
            s_unmapped = [.. s_unmapped.Where(range => range.Start != (nuint)start)];
    }

    internal static bool IsMapped(void* start, nuint length)
    {
        if ((nuint)start < PageSize)
            return length == 0;
        foreach ((nuint from, nuint to) in s_unmapped)
        {
            if ((nuint)start < to && (nuint)start + length > from)
                return false;
        }

        return true;
    }
}
