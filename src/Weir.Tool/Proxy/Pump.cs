using System.Buffers;
using Weir.Net;

namespace Weir.Tool.Proxy;

/// <summary>Moves the bytes of one direction of a connection, with back-pressure: it reads no more before what it read is written.</summary>
/// <remarks>
/// <para>Small messages: one recv and one send each, through a buffer that all pumps of the loop share, since it is in use only between a
/// read and the write that follows it. What the receiver does not take at once moves to a buffer of its own; so an idle connection holds no
/// memory here, and a stalled one at most <see cref="BufferSize"/> in each direction.</para>
/// <para>Bulk: after some large reads in a row the bytes go through a pipe instead (splice(2)), until little comes at a time again.</para>
/// <para>While the receiver takes nothing, the sender is not looked at: that it has broken meanwhile is noticed when the receiver goes on, or
/// by the idle timeout.</para>
/// </remarks>
internal sealed class Pump(ProxyConnection owner, Connection from, Connection to, ProxyShared shared, Flow flow)
{
    internal const int BufferSize = 64 * 1024;

    /// <summary>A read of so much is a large one. Not the whole buffer: a fast reader rarely finds that much, least of all on a unix socket.</summary>
    private const int LargeRead = BufferSize / 2;

    /// <summary>So many large reads in a row are bulk.</summary>
    private const int BulkAfter = 4;

    /// <summary>Splicing less than this at a time costs more than copying it does.</summary>
    private const int SmallSplice = 16 * 1024;

    /// <summary>So many small splices in a row end the bulk.</summary>
    private const int BufferedAfter = 4;

    private const int NothingThere = 0;
    private const int EndOfBulk = -1;

    private SplicePipe? _pipe;
    private byte[]? _rest;

    /// <summary>Whether it has read something that the receiver has had no room for yet.</summary>
    internal bool HoldsBytes => _rest != null || _pipe is { Count: > 0 };

    /// <summary>Runs until the sender has ended its side, and passes that on; or until one side is broken, which the owner is told.</summary>
    internal async Task RunAsync()
    {
        try
        {
            byte[] buffer = shared.Buffer;
            int large = 0, small = 0;
            while (true)
            {
                await from.WaitForDataAsync();
                if (large >= BulkAfter && (_pipe = shared.Pipes.Rent()) != null)
                {
                    int filled = Fill(_pipe);
                    if (filled > 0)
                    {
                        owner.LastTick = shared.Tick;
                        flow.Bytes += filled;
                        flow.Spliced += filled;
                        while (true)
                        {
                            if (to.TryWriteFrom(_pipe) > 0)
                                owner.LastTick = shared.Tick;
                            if (_pipe.Count == 0)
                                break;
                            await to.WaitWritableAsync();
                        }

                        small = filled < SmallSplice ? small + 1 : 0;
                    }

                    if (filled == EndOfBulk || small == BufferedAfter)
                        large = small = 0;
                    ReturnPipe();
                    continue;
                }

                if (!from.TryRead(buffer, out int count))
                    continue;
                if (count == 0)
                    break;
                owner.LastTick = shared.Tick;
                flow.Bytes += count;
                int written = to.TryWrite(new ReadOnlySpan<byte>(buffer, 0, count));
                if (written < count)
                    await WriteRestAsync(written, count);

                large = count >= LargeRead ? large + 1 : 0;
            }

            to.ShutdownWrite();
        }
        catch (ObjectDisposedException)
        {
            // The other direction has failed, or the server closed the connection.
        }
        catch (IOException)
        {
            owner.SideFailed();
        }
        finally
        {
            ReturnPipe();
        }
    }

    /// <summary>Writes what the receiver did not take at once: from <paramref name="start"/> to <paramref name="end"/> of the shared buffer.</summary>
    private async Task WriteRestAsync(int start, int end)
    {
        int length = end - start, written = 0;
        _rest = ArrayPool<byte>.Shared.Rent(length);
        shared.Buffer.AsSpan(start, length).CopyTo(_rest);
        while (written < length)
        {
            await to.WaitWritableAsync();
            int count = to.TryWrite(_rest.AsSpan(written, length - written));
            if (count > 0)
                owner.LastTick = shared.Tick;
            written += count;
        }

        ArrayPool<byte>.Shared.Return(_rest);
        _rest = null;
    }

    private int Fill(SplicePipe pipe)
    {
        try
        {
            return !from.TryReadTo(pipe, out int filled) ? NothingThere
                : filled > 0 ? filled
                : EndOfBulk; // the end of the stream, most likely: a read tells
        }
        catch (KernelException exception) when (exception.Errno is Errno.EINVAL or Errno.ENOSYS)
        {
            shared.Pipes.SwitchOff();
            return EndOfBulk;
        }
    }

    private void ReturnPipe()
    {
        if (_pipe == null)
            return;
        shared.Pipes.Return(_pipe);
        _pipe = null;
    }
}
