using System.Net;

namespace Weir.Net;

public sealed partial class DatagramSocket
{
    private bool _isSendingAgain;

    /// <summary>
    /// Of the datagram that was received last, by whichever member but the batches': <see cref="MessageFlags.Truncated"/> if the buffer was too small
    /// for it and its end is lost.
    /// </summary>
    public MessageFlags ReceivedFlags => _reader.Flags;

    // Receiving

    /// <summary>Receives a datagram and where it came from. Allocates nothing.</summary>
    /// <param name="buffer">Where it goes; what does not fit is lost, and <see cref="ReceivedFlags"/> says so.</param>
    /// <param name="receivedAddress">Takes the sender's address; <see cref="CreateAddress"/> makes one with room enough. Size 0: an unnamed unix socket.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Its bytes; 0 is an empty datagram.</returns>
    /// <exception cref="KernelException">ECONNREFUSED and the like: the network's word on what was sent before. The socket lives on.</exception>
    /// <exception cref="BusyResourceException">Someone else is receiving.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask<int> ReceiveFromAsync(Memory<byte> buffer, SocketAddress receivedAddress, CancellationToken cancellationToken = default)
    {
        CheckRoom(receivedAddress);
        return Receive(DatagramCall.ReceiveMessage, buffer, receivedAddress, null, cancellationToken);
    }

    /// <summary>As <see cref="ReceiveFromAsync(Memory{byte}, SocketAddress, CancellationToken)"/>, for those who want an end point and do not mind its allocation.</summary>
    public async ValueTask<ReceivedDatagram> ReceiveFromAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        SocketAddress from = CreateAddress();
        int count = await ReceiveFromAsync(buffer, from, cancellationToken).ConfigureAwait(false);
        return new ReceivedDatagram(count, RawSocketAddress.FromBytes(from.Buffer.Span[..from.Size]).ToEndPoint(), (ReceivedFlags & MessageFlags.Truncated) != 0);
    }

    /// <summary>Receives a datagram from whomever, as a rule the peer it is connected to. Allocates nothing.</summary>
    /// <returns>Its bytes; 0 is an empty datagram.</returns>
    /// <exception cref="KernelException">ECONNREFUSED and the like: the network's word on what was sent before. The socket lives on.</exception>
    /// <exception cref="BusyResourceException">Someone else is receiving.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        => Receive(DatagramCall.Receive, buffer, null, null, cancellationToken);

    /// <summary>Receives a datagram with the control messages that came along. Allocates nothing.</summary>
    /// <param name="buffer">Where it goes.</param>
    /// <param name="receivedAddress">Takes the sender's address; null: it is not wanted.</param>
    /// <param name="ancillary">
    /// Takes the control messages, as many as fit; what was in it is gone. Which come is said by <see cref="ReceivesPacketInfo"/> and its like. Descriptors
    /// that a unix peer sends (SCM_RIGHTS) are the caller's to close.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Its bytes; 0 is an empty datagram.</returns>
    /// <exception cref="BusyResourceException">Someone else is receiving.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask<int> ReceiveMessageAsync(Memory<byte> buffer, SocketAddress? receivedAddress, AncillaryData ancillary, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ancillary);
        if (receivedAddress != null)
            CheckRoom(receivedAddress);
        return Receive(DatagramCall.ReceiveMessage, buffer, receivedAddress, ancillary, cancellationToken);
    }

    /// <summary>Receives a datagram that is there already. False: none is.</summary>
    /// <exception cref="KernelException">The network's word on what was sent before.</exception>
    public bool TryReceiveFrom(Span<byte> buffer, SocketAddress receivedAddress, out int bytesReceived)
    {
        CheckRoom(receivedAddress);
        IsIdle(_reader);
        int result = _reader.ReceiveNow(DatagramCall.ReceiveMessage, OpenDescriptor, buffer, receivedAddress, null, out MessageFlags flags);
        return Received(result, flags, DatagramCall.ReceiveMessage, out bytesReceived);
    }

    /// <summary>Receives a datagram that is there already, from whomever. False: none is.</summary>
    /// <exception cref="KernelException">The network's word on what was sent before.</exception>
    public bool TryReceive(Span<byte> buffer, out int bytesReceived)
    {
        IsIdle(_reader);
        int result = _reader.ReceiveNow(DatagramCall.Receive, OpenDescriptor, buffer, null, null, out MessageFlags flags);
        return Received(result, flags, DatagramCall.Receive, out bytesReceived);
    }

    private bool Received(int result, MessageFlags flags, DatagramCall call, out int bytesReceived)
    {
        bytesReceived = Math.Max(result, 0);
        if (result >= 0)
        {
            _reader.Flags = flags;
            _loop.Queue.Spend(result);
            return true;
        }

        return result == -(int)Errno.EAGAIN ? false : throw new KernelException(DatagramOperation.Name(call), FileDescriptor, (Errno)(-result));
    }

    private ValueTask<int> Receive(DatagramCall call, Memory<byte> buffer, SocketAddress? from, AncillaryData? ancillary, CancellationToken cancellationToken)
    {
        IsIdle(_reader);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        _reader.Ask(call, buffer, from, ancillary, null);
        return Started(cancellationToken);
    }

    private ValueTask<int> Started(CancellationToken cancellationToken)
    {
        if (!_reader.Begin(_token))
            return _reader.AsValueTask(cancellationToken);
        int result = _reader.TakeResult();
        _reader.LetGo();
        return result >= 0 ? new ValueTask<int>(result) : ValueTask.FromException<int>(_reader.Failure(result, FileDescriptor));
    }

    // Sending

    /// <summary>Sends a datagram. Waits only while the socket's send buffer is full. Allocates nothing.</summary>
    /// <remarks>
    /// A unix socket that is connected to nobody is not told when the receiver has room again (unix(7)): there it tries again after a millisecond, then ever
    /// more rarely, at least every 50 ms, and that allocates.
    /// </remarks>
    /// <exception cref="KernelException">EMSGSIZE: too long, and not sent; ENOBUFS: no memory; EAGAIN: it has no port, and none is left; ECONNREFUSED: the network's word on an earlier datagram; ...</exception>
    /// <exception cref="BusyResourceException">Someone else is sending.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask SendToAsync(ReadOnlyMemory<byte> buffer, SocketAddress to, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(to);
        return Send(DatagramCall.SendMessage, buffer, to, null, cancellationToken);
    }

    /// <summary>As <see cref="SendToAsync(ReadOnlyMemory{byte}, SocketAddress, CancellationToken)"/>; allocates for the end point's translation.</summary>
    public ValueTask SendToAsync(ReadOnlyMemory<byte> buffer, EndPoint to, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(to);
        return SendToAsync(buffer, to.Serialize(), cancellationToken);
    }

    /// <summary>Sends a datagram to the peer that the socket is connected to. Allocates nothing.</summary>
    /// <exception cref="KernelException">EDESTADDRREQ, ENOTCONN: connected to nobody; EMSGSIZE: too long; ECONNREFUSED: the network's word on an earlier datagram; ...</exception>
    /// <exception cref="BusyResourceException">Someone else is sending.</exception>
    /// <exception cref="ObjectDisposedException">It was closed, before or meanwhile.</exception>
    public ValueTask SendAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        => Send(DatagramCall.Send, buffer, null, null, cancellationToken);

    /// <summary>Sends a datagram with control messages. Allocates nothing.</summary>
    /// <param name="buffer">Its bytes.</param>
    /// <param name="to">Where it goes; null: to the peer that the socket is connected to.</param>
    /// <param name="ancillary">The control messages.</param>
    /// <param name="cancellationToken">Ends the wait for room.</param>
    /// <exception cref="KernelException">
    /// As of SendToAsync, and EINVAL: a control message that this kind of socket does not take; EPERM, ESRCH: credentials that this process may not claim.
    /// </exception>
    public ValueTask SendMessageAsync(ReadOnlyMemory<byte> buffer, SocketAddress? to, AncillaryData ancillary, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ancillary);
        return Send(DatagramCall.SendMessage, buffer, to, ancillary, cancellationToken);
    }

    /// <summary>Sends a datagram if there is room for it now. False: there is none, and nothing was sent.</summary>
    /// <exception cref="KernelException">As of SendToAsync.</exception>
    public bool TrySendTo(ReadOnlySpan<byte> buffer, SocketAddress to)
    {
        ArgumentNullException.ThrowIfNull(to);
        IsIdleWriter();
        return SentNow(DatagramCalls.SendMessage(_loop.Kernel, OpenDescriptor, buffer, to, null), DatagramCall.SendMessage);
    }

    /// <summary>Sends a datagram to the peer that it is connected to, if there is room for it now. False: there is none, and nothing was sent.</summary>
    /// <exception cref="KernelException">As of SendAsync.</exception>
    public bool TrySend(ReadOnlySpan<byte> buffer)
    {
        IsIdleWriter();
        return SentNow(DatagramCalls.Send(_loop.Kernel, OpenDescriptor, buffer), DatagramCall.Send);
    }

    private bool SentNow(int result, DatagramCall call)
    {
        if (result < 0)
            return result == -(int)Errno.EAGAIN ? false : throw new KernelException(DatagramOperation.Name(call), FileDescriptor, (Errno)(-result));
        _loop.Queue.Spend(result);
        return true;
    }

    private ValueTask Send(DatagramCall call, ReadOnlyMemory<byte> buffer, SocketAddress? to, AncillaryData? ancillary, CancellationToken cancellationToken)
    {
        IsIdleWriter();
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        _writer.Ask(call, buffer, to, ancillary, null);
        return to != null && Domain == SocketDomain.Unix ? SendAgain(cancellationToken) : StartedSend(cancellationToken);
    }

    private ValueTask StartedSend(CancellationToken cancellationToken)
    {
        if (!_writer.Begin(_token))
            return _writer.AsPlainValueTask(cancellationToken);
        int result = _writer.TakeResult();
        _writer.LetGo();
        return result >= 0 ? default : ValueTask.FromException(_writer.Failure(result, FileDescriptor));
    }

    // Nothing tells a socket that is connected to nobody when the receiver has room again: unix_dgram_poll looks at the connected peer's queue alone.
    private async ValueTask SendAgain(CancellationToken cancellationToken)
    {
        _isSendingAgain = true;
        try
        {
            BackOff pauses = BackOff.FullUnixPeer;
            // With no budget left it gives way.
            if (!_loop.Queue.HasBudget)
            {
                await EventLoop.Yield();
                ObjectDisposedException.ThrowIf(!_loop.IsCurrent, this); // the loop has stopped
            }

            int result, sent = 0;
            while ((result = _writer.CallNow(_token)) == -(int)Errno.EAGAIN)
            {
                // While it makes progress the receiver is at work.
                if (_writer.Sent > sent)
                    pauses.Reset();
                sent = _writer.Sent;
                await _loop.Delay(pauses.Next(), cancellationToken);
            }

            if (result < 0)
                throw _writer.Failure(result, FileDescriptor);
        }
        finally
        {
            _isSendingAgain = false;
            _writer.LetGo();
        }
    }

    // Checks

    private void CheckRoom(SocketAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        int needed = Domain switch
        {
            SocketDomain.Inet => Inet4AddressSize,
            SocketDomain.Inet6 => Inet6AddressSize,
            _ => UnixAddressSize,
        };
        if (address.Buffer.Length < needed)
            throw new ArgumentException($"An address of the family {Domain} takes {needed} bytes, and there is room for {address.Buffer.Length}: make it with CreateAddress.", nameof(address));
    }

    private void IsIdle(DatagramOperation operation)
    {
        RequireLoop();
        if (operation.Status != AwaitableStatus.Idle)
            throw IoOperation.Busy(operation == _reader ? OperationKind.Read : OperationKind.Write, FileDescriptor);
    }

    private void IsIdleWriter()
    {
        IsIdle(_writer);
        if (_isSendingAgain)
            throw IoOperation.Busy(OperationKind.Write, FileDescriptor);
    }
}
