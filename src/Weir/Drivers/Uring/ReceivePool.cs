using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>
/// The buffers that a ring receives into, and for each what is in it: those of one connection are linked in the order of arrival. For one
/// loop's thread.
/// </summary>
/// <remarks>
/// The kernel takes buffers in the order in which they were offered, so all that are in circulation pass through the cache in turn, however few
/// are in use at a time. So only a few are, until the kernel finds none: then twice as many; and half as many again after a long time without that.
/// </remarks>
internal sealed unsafe class ReceivePool : IDisposable
{
    // Stand for what has become of a buffer in the place of the next one in line.
    private const int Lent = -2;
    private const int Passed = -3;

    private const int FewestInCirculation = 32;

    /// <summary>So many received buffers without a lack of them are a long time.</summary>
    private const int LongTime = 1 << 16;

    private readonly BufferRing _ring;
    private readonly Content[] _contents;
    private readonly Stack<int> _idle; // in nobody's hands: the last one out of circulation is the first to come back
    private int _circulating, _mostCirculating, _sinceLack;

    private struct Content
    {
        internal int Offset;
        internal int Length;
        internal int Next;
    }

    /// <exception cref="KernelException">The kernel knows no rings of buffers, or has no memory for one.</exception>
    internal ReceivePool(Kernel kernel, Ring ring, ushort group, int count, int size)
    {
        _circulating = _mostCirculating = Math.Min(count, FewestInCirculation);
        _ring = new BufferRing(kernel, ring, group, count, size, _circulating);
        _contents = new Content[count];
        _idle = new Stack<int>(count);
        for (int id = count - 1; id >= _circulating; id--)
            _idle.Push(id);
        Group = group;
    }

    /// <summary>What submissions name it by.</summary>
    internal ushort Group { get; }

    /// <summary>Buffers that hold something.</summary>
    internal int InUse { get; private set; }

    /// <summary>Whether there is a buffer left to receive into.</summary>
    internal bool HasFree => InUse < _contents.Length;

    /// <summary>The kernel has found no buffer: it is given more, unless that has happened since, or there are no more.</summary>
    internal void Lacking()
    {
        _sinceLack = 0;
        if (InUse < _circulating)
            return;
        _mostCirculating = Math.Min(_contents.Length, 2 * _circulating);
        for (; _circulating < _mostCirculating; _circulating++)
            _ring.Offer(_idle.Pop());
    }

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
        if (++_sinceLack == LongTime)
        {
            _sinceLack = 0;
            _mostCirculating = Math.Max(_mostCirculating / 2, Math.Min(_contents.Length, FewestInCirculation));
        }
    }

    /// <summary>Copies what was received, up to <paramref name="length"/> bytes, and gives buffers back as they are emptied.</summary>
    internal int Take(ref UringSlot line, byte* bytes, int length)
    {
        int taken = 0;
        while (taken < length)
        {
            byte* first = First(ref line, out int available);
            if (first == null)
                break;
            int count = Math.Min(available, length - taken);
            Unsafe.CopyBlockUnaligned(bytes + taken, first, (uint)count);
            taken += count;
            Consume(ref line, count);
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
        int id = TakeFirst(ref line);
        ref Content content = ref _contents[id];
        offset = content.Offset;
        length = content.Length;
        content.Next = Lent;
        line.HeldBytes -= length;
        return id;
    }

    /// <summary>Takes a buffer back that was lent.</summary>
    /// <exception cref="InvalidOperationException">It was given back or sent on before.</exception>
    internal void ReturnLent(int id) => GiveBack(id, Lent);

    /// <summary>Sees to it that a buffer is lent.</summary>
    /// <exception cref="InvalidOperationException">It was given back or sent on before.</exception>
    internal void RequireLent(int id) => Require(id, Lent);

    /// <summary>A buffer that was lent is being sent; <see cref="ReturnSent"/> takes it back.</summary>
    internal void Pass(int id) => _contents[id].Next = Passed;

    /// <summary>Takes a buffer back that was sent.</summary>
    internal void ReturnSent(int id) => GiveBack(id, Passed);

    private void GiveBack(int id, int state)
    {
        Require(id, state);
        _contents[id].Next = -1;
        InUse--;
        Return(id);
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

    private int TakeFirst(ref UringSlot line)
    {
        int id = line.FirstReceived;
        line.FirstReceived = _contents[id].Next;
        line.Held--;
        return id;
    }

    private void DropFirst(ref UringSlot line)
    {
        int id = TakeFirst(ref line);
        InUse--;
        Return(id);
    }

    /// <summary>Nobody reads what a connection has received.</summary>
    internal void DropAll(ref UringSlot line)
    {
        while (line.FirstReceived >= 0)
            DropFirst(ref line);
        line.HeldBytes = 0;
    }

    /// <summary>A buffer with nothing in it that anybody wants.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Return(int id)
    {
        if (_circulating <= _mostCirculating)
        {
            _ring.Offer(id);
            return;
        }

        _circulating--;
        _idle.Push(id);
    }

    public void Dispose() => _ring.Dispose();
}
