using System.Runtime.CompilerServices;

namespace Weir.Net;

public sealed partial class Connection
{
    /// <summary>
    /// Takes what is there now, without copying it, in memory of the loop. False: nothing is there; <see cref="DescriptorStream.WaitForDataAsync"/>
    /// waits for more. True with <see cref="ReceivedBuffer.Length"/> 0: the end. The loop's thread only.
    /// </summary>
    /// <param name="buffer">What was received. Send it on with <see cref="SendAsync"/>, or dispose of it.</param>
    /// <param name="most">At most so many bytes, up to 65,536; an io_uring loop has received already, up to <see cref="LoopOptions.ReceiveBufferSize"/>.</param>
    /// <exception cref="KernelException">The read failed.</exception>
    /// <exception cref="BusyResourceException">Someone else is reading.</exception>
    /// <exception cref="ObjectDisposedException">It was closed.</exception>
    /// <exception cref="InvalidOperationException">The caller is not on the loop's thread.</exception>
    public bool TryReceive(out ReceivedBuffer buffer, int most = 65536)
    {
        RequireLoop();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(most);
        nint count = Loop.Driver.ReceiveNow(Token, most, out Lease lease);
        buffer = new ReceivedBuffer(Loop.Driver, lease);
        if (count >= 0)
        {
            Loop.Queue.Spend((int)count);
            return true;
        }

        return count is -(int)Errno.EAGAIN or -(int)Errno.EINTR ? false : throw Failure(OperationKind.Read, (int)count);
    }

    /// <summary>
    /// Sends on what a connection of the same loop has received, and gives the memory back, sent or not; only where it is refused as such
    /// (<see cref="InvalidOperationException"/>) it stays the caller's. Completes at once unless the kernel has no room. The loop's thread only.
    /// </summary>
    /// <exception cref="KernelException">The write failed.</exception>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    /// <exception cref="InvalidOperationException">The buffer is another loop's, or the caller is not on the loop's thread.</exception>
    public ValueTask SendAsync(ReceivedBuffer buffer, CancellationToken cancellationToken = default)
    {
        RequireLoop();
        int length = buffer.Length;
        if (length == 0)
            return default;
        buffer.RequireOf(Loop.Driver);
        if (Loop.Queue.HasBudget && !cancellationToken.IsCancellationRequested)
        {
            nint count = buffer.SendNow(Token);
            if (count == length)
            {
                Loop.Queue.Spend(length);
                return default;
            }

            // Told now: the kernel says why a connection died to the first who asks, and only EPIPE after that.
            if (count < 0 && count is not (-(int)Errno.EAGAIN or -(int)Errno.EINTR))
            {
                buffer.Dispose();
                return ValueTask.FromException(Failure(OperationKind.Write, (int)count));
            }
        }

        return SendRest(buffer, cancellationToken);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask SendRest(ReceivedBuffer buffer, CancellationToken cancellationToken)
    {
        try
        {
            while (buffer.Length > 0)
            {
                await WaitWritableAsync(cancellationToken);
                nint count = buffer.SendNow(Token);
                if (count < 0 && count is not (-(int)Errno.EAGAIN or -(int)Errno.EINTR))
                    throw Failure(OperationKind.Write, (int)count);
                Loop.Queue.Spend((int)Math.Max(count, 0)); // also for nothing: a socket may report an error and have no room for ever
            }
        }
        finally
        {
            buffer.Dispose();
        }
    }
}
