using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// The buffers that a ring receives into, and for each what is in it: those of one connection are linked in the order of arrival. For one
/// loop's thread.
/// </summary>
internal sealed unsafe class ReceivePool : IDisposable
{
    // Stand for what has become of a buffer in the place of the next one in line.
    private const int Lent = -2;
    private const int Passed = -3;

    private readonly BufferRing _ring;
    private readonly Content[] _contents;

    private struct Content
    {
        internal int Offset;
        internal int Length;
        internal int Next;
    }

    /// <exception cref="KernelException">The kernel knows no rings of buffers, or has no memory for one.</exception>
    internal ReceivePool(Kernel kernel, Ring ring, ushort group, int count, int size)
    {
        _ring = new BufferRing(kernel, ring, group, count, size);
        _contents = new Content[count];
        Group = group;
    }

    /// <summary>What submissions name it by.</summary>
    internal ushort Group { get; }

    /// <summary>Buffers that hold something.</summary>
    internal int InUse { get; private set; }

    /// <summary>Whether the kernel has a buffer left to receive into.</summary>
    internal bool HasFree => InUse < _contents.Length;

    /// <summary>The kernel has put <paramref name="length"/> bytes into a buffer: it goes to the end of a connection's line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Append(ref UringSlot line, int id, int length)
    {
        ref Content content = ref _contents[id];
        content.Offset = 0;
        content.Length = length;
        content.Next = -1;
        if (line.FirstReceived < 0)
            line.FirstReceived = id;
        else
            _contents[line.LastReceived].Next = id;
        line.LastReceived = id;
        line.Held++;
        line.HeldBytes += length;
        InUse++;
    }

    /// <summary>Copies what was received, up to <paramref name="length"/> bytes, and gives buffers back as they are emptied.</summary>
    internal int Take(ref UringSlot line, byte* bytes, int length)
    {
        int taken = 0;
        while (line.FirstReceived >= 0 && taken < length)
        {
            ref Content content = ref _contents[line.FirstReceived];
            int count = Math.Min(content.Length, length - taken);
            Unsafe.CopyBlockUnaligned(bytes + taken, _ring.At(line.FirstReceived) + content.Offset, (uint)count);
            taken += count;
            content.Offset += count;
            content.Length -= count;
            line.HeldBytes -= count;
            if (content.Length == 0)
                DropFirst(ref line);
        }

        return taken;
    }

    /// <summary>As <see cref="Take"/>, and leaves everything where it is.</summary>
    internal int Peek(ref UringSlot line, byte* bytes, int length)
    {
        int taken = 0;
        for (int id = line.FirstReceived; id >= 0 && taken < length; id = _contents[id].Next)
        {
            int count = Math.Min(_contents[id].Length, length - taken);
            Unsafe.CopyBlockUnaligned(bytes + taken, _ring.At(id) + _contents[id].Offset, (uint)count);
            taken += count;
        }

        return taken;
    }

    /// <summary>Takes the first buffer out of the line as it is; <see cref="ReturnLent"/> gives it back.</summary>
    internal int Lend(ref UringSlot line, out int offset, out int length)
    {
        int id = line.FirstReceived;
        ref Content content = ref _contents[id];
        offset = content.Offset;
        length = content.Length;
        line.FirstReceived = content.Next;
        content.Next = Lent;
        line.Held--;
        line.HeldBytes -= length;
        return id;
    }

    /// <summary>Takes a buffer back that was lent.</summary>
    /// <exception cref="InvalidOperationException">It was given back or sent on before.</exception>
    internal void ReturnLent(int id) => GiveBack(id, Lent);

    /// <summary>A buffer that was lent is being sent; <see cref="ReturnSent"/> takes it back.</summary>
    /// <exception cref="InvalidOperationException">It was given back or sent on before.</exception>
    internal void Pass(int id)
    {
        Require(id, Lent);
        _contents[id].Next = Passed;
    }

    /// <summary>Takes a buffer back that was sent.</summary>
    internal void ReturnSent(int id) => GiveBack(id, Passed);

    private void GiveBack(int id, int state)
    {
        Require(id, state);
        _contents[id].Next = -1;
        InUse--;
        _ring.Return(id);
    }

    private void Require(int id, int state)
    {
        if (_contents[id].Next != state)
            throw new InvalidOperationException("A received buffer was used after it had been sent or given back.");
    }

    /// <summary>The bytes of a buffer.</summary>
    internal byte* At(int id) => _ring.At(id);

    /// <summary>The first stretch of what was received; null: nothing was.</summary>
    internal byte* First(ref UringSlot line, out int length)
    {
        length = 0;
        if (line.FirstReceived < 0)
            return null;
        ref Content content = ref _contents[line.FirstReceived];
        length = content.Length;
        return _ring.At(line.FirstReceived) + content.Offset;
    }

    /// <summary>So many bytes of the first stretch are done with.</summary>
    internal void Consume(ref UringSlot line, int count)
    {
        ref Content content = ref _contents[line.FirstReceived];
        content.Offset += count;
        content.Length -= count;
        line.HeldBytes -= count;
        if (content.Length == 0)
            DropFirst(ref line);
    }

    private void DropFirst(ref UringSlot line)
    {
        int id = line.FirstReceived;
        line.FirstReceived = _contents[id].Next;
        line.Held--;
        InUse--;
        _ring.Return(id);
    }

    /// <summary>Nobody reads what a connection has received.</summary>
    internal void DropAll(ref UringSlot line)
    {
        while (line.FirstReceived >= 0)
            DropFirst(ref line);
        line.HeldBytes = 0;
    }

    /// <summary>A buffer that came for nobody.</summary>
    internal void Return(int id) => _ring.Return(id);

    public void Dispose() => _ring.Dispose();
}
