using System.Buffers;

namespace Weir.Net;

public sealed partial class Connection
{
    private const int MostVectors = 64;

    /// <summary>Looks at what is there to read without taking it; 0 is the end. Waits until there is something. The loop's thread only.</summary>
    public async ValueTask<int> PeekAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        RequireLoop();
        if (buffer.IsEmpty)
            return 0;
        while (true)
        {
            await WaitForDataAsync(cancellationToken);
            nint count = Loop.Driver.PeekNow(Token, buffer.Span);
            if (count >= 0)
                return (int)count;
            if (count is not (-(int)Errno.EAGAIN or -(int)Errno.EINTR))
                throw Failure(OperationKind.Read, (int)count);
        }
    }

    /// <summary>Writes several buffers as one stream of bytes, up to 64 of them with one system call. The loop's thread only.</summary>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    public ValueTask WriteAsync(IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        RequireLoop();
        return WriteVectored(new VectorCursor(buffers), cancellationToken);
    }

    /// <summary>Writes the segments of a sequence, up to 64 of them with one system call. The loop's thread only.</summary>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    public ValueTask WriteAsync(in ReadOnlySequence<byte> buffers, CancellationToken cancellationToken = default)
    {
        if (buffers.IsSingleSegment)
            return WriteAsync(buffers.First, cancellationToken);
        var list = new List<ReadOnlyMemory<byte>>();
        foreach (ReadOnlyMemory<byte> segment in buffers)
            list.Add(segment);
        return WriteAsync(list, cancellationToken);
    }

    private async ValueTask WriteVectored(VectorCursor cursor, CancellationToken cancellationToken)
    {
        while (!cursor.AtEnd)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // A wait with no budget left gives way, though there be room.
            if (!Loop.Queue.HasBudget)
                await WaitWritableAsync(cancellationToken);
            nint count = WriteOnce(cursor);
            if (count >= 0)
            {
                Loop.Queue.Spend((int)count);
                cursor.Advance((int)count);
            }
            else if (count == -(int)Errno.EAGAIN)
            {
                Loop.Queue.Spend(0); // a socket may report an error and have no room for ever
                await WaitWritableAsync(cancellationToken);
            }
            else if (count != -(int)Errno.EINTR)
                throw Failure(OperationKind.Write, (int)count, "writev");
        }
    }

    private unsafe nint WriteOnce(VectorCursor cursor)
    {
        IoVector* vectors = stackalloc IoVector[MostVectors];
        MemoryHandle[] pins = ArrayPool<MemoryHandle>.Shared.Rent(MostVectors);
        int count = 0;
        try
        {
            foreach (ReadOnlyMemory<byte> part in cursor.Remaining(MostVectors))
            {
                pins[count] = part.Pin();
                vectors[count] = new IoVector { Base = pins[count].Pointer, Length = (nuint)part.Length };
                count++;
            }

            return Loop.Driver.WriteNow(Token, vectors, count);
        }
        finally
        {
            for (int i = 0; i < count; i++)
                pins[i].Dispose();
            ArrayPool<MemoryHandle>.Shared.Return(pins, clearArray: true);
        }
    }

    /// <summary>How far a vectored write has come.</summary>
    private sealed class VectorCursor(IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        private int _index;
        private int _offset;

        internal bool AtEnd
        {
            get
            {
                while (_index < buffers.Count && _offset == buffers[_index].Length)
                {
                    _index++;
                    _offset = 0;
                }

                return _index == buffers.Count;
            }
        }

        internal IEnumerable<ReadOnlyMemory<byte>> Remaining(int most)
        {
            int offset = _offset;
            for (int i = _index; i < buffers.Count && most > 0; i++)
            {
                if (buffers[i].Length > offset)
                {
                    most--;
                    yield return buffers[i][offset..];
                }

                offset = 0;
            }
        }

        internal void Advance(int count)
        {
            while (count > 0)
            {
                int left = buffers[_index].Length - _offset;
                if (count < left)
                {
                    _offset += count;
                    return;
                }

                count -= left;
                _index++;
                _offset = 0;
            }
        }
    }
}
