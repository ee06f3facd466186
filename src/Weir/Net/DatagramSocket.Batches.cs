namespace Weir.Net;

public sealed partial class DatagramSocket
{
    /// <summary>
    /// Receives what is there with one system call, at least one datagram and at most <see cref="DatagramBatch.Capacity"/>. Waits for the first and not for more.
    /// Allocates nothing. recvmmsg(2).
    /// </summary>
    /// <returns>The number of datagrams, which is also the batch's <see cref="DatagramBatch.Count"/>.</returns>
    /// <exception cref="KernelException">ECONNREFUSED and the like: the network's word on what was sent before. The socket lives on.</exception>
    /// <exception cref="BusyResourceException">Someone else is receiving, or the batch is in use.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask<int> ReceiveBatchAsync(DatagramBatch batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        IsIdle(_reader);
        batch.ThrowIfInUse();
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        _reader.Ask(DatagramCall.ReceiveBatch, default, null, null, batch);
        return Started(cancellationToken);
    }

    /// <summary>Receives what is there already with one system call. False: nothing is, and the batch is empty.</summary>
    /// <exception cref="KernelException">The network's word on what was sent before.</exception>
    public bool TryReceiveBatch(DatagramBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        IsIdle(_reader);
        batch.ThrowIfInUse();
        int result = batch.Receive(_loop.Kernel, OpenDescriptor, _reader.Trains);
        if (result < 0)
            return result == -(int)Errno.EAGAIN ? false : throw new KernelException("recvmmsg", FileDescriptor, (Errno)(-result));
        _loop.Queue.Spend(batch.Bytes);
        return true;
    }

    /// <summary>
    /// Sends all datagrams of a batch, in order, with one system call if there is room for all. Waits only while the socket's send buffer is full. Allocates nothing.
    /// sendmmsg(2).
    /// </summary>
    /// <remarks>
    /// UDP datagrams of one length in a row that go to one place (the last of them may be shorter) pass through the kernel as one, and are cut up as late as can be
    /// (UDP_SEGMENT, udp(7)); where that cannot be had they go one by one. When one fails those before it have been sent, as <see cref="DatagramBatch.Sent"/> says. On a unix socket connected to nobody a full receiver is tried again
    /// as by SendToAsync.
    /// </remarks>
    /// <exception cref="KernelException">The first that failed did so for this reason.</exception>
    /// <exception cref="BusyResourceException">Someone else is sending, or the batch is in use.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask SendBatchAsync(DatagramBatch batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        IsIdleWriter();
        batch.ThrowIfInUse();
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        batch.BeginSend();
        _writer.Ask(DatagramCall.SendBatch, default, null, null, batch);
        return Domain == SocketDomain.Unix && batch.HasAddresses ? SendAgain(cancellationToken) : StartedSend(cancellationToken);
    }
}
