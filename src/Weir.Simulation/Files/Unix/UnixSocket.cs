namespace Weir.Simulation;

/// <summary>sk_state, by the names that net/unix borrows from TCP.</summary>
internal enum UnixState
{
    Closed,
    Established,
    Listening,
}

/// <summary>sk_shutdown.</summary>
[Flags]
internal enum UnixShutdown
{
    None = 0,
    Receive = 1,
    Send = 2,
    Both = 3,
}

/// <summary>
/// A socket of the unix family, built as net/unix/af_unix.c is: a message goes straight into the receiver's queue and is charged to its
/// sender until it is freed. Derived classes are the two ways to send and receive: streams, and whole messages.
/// </summary>
internal abstract partial class UnixSocket : SimSocket
{
    internal const MessageFlags ControlTruncated = (MessageFlags)0x8;
    internal const MessageFlags Truncated = (MessageFlags)0x20;

    // The keys of sock_def_readable and unix_write_space, and what unix_poll reports for each.
    protected const EpollEvents ReadableKey = EpollEvents.In | EpollEvents.Pri | EpollEvents.RdNorm | EpollEvents.RdBand;
    protected const EpollEvents WritableKey = EpollEvents.Out | EpollEvents.WrNorm | EpollEvents.WrBand;
    protected const EpollEvents ReadableMask = EpollEvents.In | EpollEvents.RdNorm;

    private int _writeMemory; // sk_wmem_alloc without the one that stands for the socket itself

    protected UnixSocket(Machine machine, SocketKind kind)
        : base(machine, SocketDomain.Unix, kind, protocol: 0)
    {
        Backlog = machine.Unix.MaxDatagramQueue;
    }

    internal UnixState State { get; private protected set; }

    internal UnixShutdown ShutdownState { get; private protected set; }

    /// <summary>unix_peer. It stays what it was when the peer closes; the one who closes forgets it.</summary>
    internal UnixSocket? Peer { get; private protected set; }

    /// <summary>SOCK_DEAD: its last descriptor is closed. Messages of it may still be in others' queues.</summary>
    internal bool IsDead { get; private set; }

    internal UnixQueue ReceiveQueue { get; } = new();

    /// <summary>sk_max_ack_backlog: for a listener the backlog, for datagrams the limit on messages from those it is not connected to.</summary>
    protected int Backlog { get; set; }

    /// <summary>Where those wait whom a full receive queue here holds up.</summary>
    internal WaitQueue PeerWait { get; } = new();

    protected UnixTable Table => Machine.Unix;

    internal override bool IsListening => State == UnixState.Listening;

    internal override string Kind => Type switch
    {
        SocketKind.Stream => "unix stream",
        SocketKind.Datagram => "unix datagram",
        _ => "unix seqpacket",
    };

    /// <summary>unix_recvq_full.</summary>
    protected bool IsReceiveQueueFull => ReceiveQueue.Count > Backlog;

    /// <summary>unix_writable; <paramref name="held"/>: bytes that still count besides what messages cost.</summary>
    protected bool IsWritable(int held = 1) => State != UnixState.Listening && (_writeMemory + (long)held) * 4 <= SendBufferSize;

    internal override EpollEvents Poll()
    {
        EpollEvents mask = EpollEvents.None;
        if (PendingError != 0)
            mask |= EpollEvents.Err;
        if (ShutdownState == UnixShutdown.Both)
            mask |= EpollEvents.Hup;
        if ((ShutdownState & UnixShutdown.Receive) != 0)
            mask |= EpollEvents.RdHup | ReadableMask;
        if (ReceiveQueue.First != null)
            mask |= ReadableMask;
        if (Type != SocketKind.Datagram && State == UnixState.Closed)
            mask |= EpollEvents.Hup;
        return mask;
    }

    // Errors and blocking

    /// <summary>sock_error: the pending error, negated, which is then no more.</summary>
    protected int TakeError()
    {
        int error = -(int)PendingError;
        PendingError = 0;
        return error;
    }

    /// <summary>
    /// One sleep in a queue until woken for one of <paramref name="conditions"/> (none: for anything), or a signal taken care of; the caller then
    /// looks for himself. 0, or the negated EINTR.
    /// </summary>
    protected static int Sleep(SimThread thread, WaitQueue queue, EpollEvents conditions, bool exclusive)
        => thread.World.WaitIn(thread, queue, exclusive, conditions);

    /// <summary>Waits until the queue of <paramref name="other"/> may have room: unix_wait_for_peer.</summary>
    protected static int WaitForPeer(SimThread thread, UnixSocket other) => Sleep(thread, other.PeerWait, EpollEvents.None, exclusive: true);

    // Memory

    /// <summary>sock_alloc_send_pskb: a buffer to send, once there is memory for it. Null: the error.</summary>
    /// <param name="thread">The caller.</param>
    /// <param name="flags">Of the call.</param>
    /// <param name="length">Bytes that go into it.</param>
    /// <param name="trueSize">Bytes that it costs.</param>
    /// <param name="continues">The call has sent something already: a signal ends it with that.</param>
    /// <param name="error">0, or what went wrong.</param>
    protected UnixMessage? Allocate(SimThread thread, MessageFlags flags, int length, int trueSize, bool continues, out int error)
    {
        while (true)
        {
            error = TakeError();
            if (error < 0)
                return null;
            error = -(int)Errno.EPIPE;
            if ((ShutdownState & UnixShutdown.Send) != 0)
                return null;
            if (_writeMemory < SendBufferSize)
                break;
            error = -(int)Errno.EAGAIN;
            if (!MayBlock(flags))
                return null;
            error = continues && thread.HasSignal
                ? -(int)Errno.EINTR
                : Sleep(thread, WaitQueue, EpollEvents.None, exclusive: false); // sock_wait_for_wmem
            if (error < 0)
                return null;
        }

        error = 0;
        _writeMemory += trueSize;
        return Table.Messages.Rent(this, length, trueSize);
    }

    /// <summary>kfree_skb: gives the memory back to the sender, who may write again, and drops what the message carried.</summary>
    protected void Free(UnixMessage message)
    {
        UnixSocket sender = message.Sender;
        List<SimFile>? files = TakeFiles(message);
        int size = message.TrueSize;
        Table.Messages.Return(message);
        if (size > 0)
        {
            // sock_wfree wakes while one byte of the message is still counted.
            sender._writeMemory -= size;
            sender.OnWriteSpace(held: 2);
        }

        files?.ForEach(file => file.Drop());
    }

    // unix_write_space
    private void OnWriteSpace(int held)
    {
        if (!IsDead && IsWritable(held))
            WaitQueue.Wake(WritableKey);
    }

    internal void PurgeReceiveQueue()
    {
        for (UnixMessage? message = ReceiveQueue.First; IsListening && message != null; message = message.Next)
            message.Sender.PurgeReceiveQueue();
        while (!IsListening && ReceiveQueue.First is { } first)
        {
            ReceiveQueue.Remove(first);
            Free(first);
        }
    }

    // What messages carry

    /// <summary>unix_scm_to_skb: the descriptors now belong to the message.</summary>
    protected void Attach(UnixMessage message, MessageExtras? extras)
    {
        if (extras == null)
            return;
        if (extras.Credentials is { } credentials)
            message.Credentials = credentials;
        if (extras.Files is not { Count: > 0 } files)
            return;
        message.Files = files;
        extras.Files = null;
        Table.Garbage.Sent(files);
    }

    /// <summary>unix_detach_fds.</summary>
    protected List<SimFile>? TakeFiles(UnixMessage message)
    {
        if (message.Files is not { } files)
            return null;
        message.Files = null;
        Table.Garbage.Arrived(files);
        return files;
    }

    /// <summary>unix_peek_fds: the peeked message keeps its own.</summary>
    protected static List<SimFile>? CopyFiles(UnixMessage message)
    {
        message.Files?.ForEach(file => file.Acquire());
        return message.Files == null ? null : [.. message.Files];
    }

    /// <summary>maybe_add_creds: who sends is noted if either side wants to know.</summary>
    protected void AddCredentials(UnixMessage message, SimThread thread, UnixSocket other)
    {
        if (message.Credentials.Process == 0 && (PassesCredentials || other.PassesCredentials || other.IsEmbryo))
            message.Credentials = UnixCredentials.Of(thread.Process);
    }

    /// <summary>scm_recv_unix: what a message carried goes to the caller, or nowhere.</summary>
    protected void Deliver(MessageExtras? extras, List<SimFile>? files, in UnixCredentials credentials)
    {
        if (extras == null)
        {
            files?.ForEach(file => file.Drop());
            return;
        }

        extras.Files = files;
        if (PassesCredentials)
            extras.Credentials = credentials;
    }

    // The end

    internal override int Shutdown(ShutdownHow how)
    {
        UnixShutdown mode = (UnixShutdown)((int)how + 1);
        UnixSocket? other = Type == SocketKind.Datagram ? null : Peer;
        ShutdownState |= mode;
        if (other != null)
        {
            if ((mode & UnixShutdown.Receive) != 0)
                other.ShutdownState |= UnixShutdown.Send;
            if ((mode & UnixShutdown.Send) != 0)
                other.ShutdownState |= UnixShutdown.Receive;
        }

        OnStateChange();
        other?.OnStateChange();
        return 0;
    }

    // Both ends learn what one learns whose peer has died and left something unread.
    internal override bool TryReset()
    {
        if (Type == SocketKind.Datagram || State != UnixState.Established || Peer is not { IsDead: false } other)
            return false;
        ShutdownState = other.ShutdownState = UnixShutdown.Both;
        PendingError = other.PendingError = Errno.ECONNRESET;
        OnStateChange();
        other.OnStateChange();
        return true;
    }

    /// <summary>sk_state_change: tells everybody, whatever they wait for.</summary>
    private void OnStateChange()
    {
        if (!IsDead)
            WaitQueue.Wake(EpollEvents.None, exclusive: 0);
    }

    protected override void Release()
    {
        ReleaseSocket(isEmbryo: false);
        if (Table.Garbage.MayExist)
            Table.Garbage.Collect();
    }

    // unix_release_sock; an embryo is a connection that nobody has accepted.
    private void ReleaseSocket(bool isEmbryo)
    {
        RemoveName();
        bool wasListening = IsListening;
        UnixSocket? peer = Peer;
        IsDead = true;
        ShutdownState = UnixShutdown.Both;
        State = UnixState.Closed;
        Peer = null;
        OnReleased();
        bool tellsPeer = peer != null && Type != SocketKind.Datagram;
        if (tellsPeer)
        {
            peer!.ShutdownState = UnixShutdown.Both;
            // One empty buffer at the front is the mark of an urgent byte that was taken, and no data.
            UnixMessage? unread = ReceiveQueue.First is { Unread: 0 } mark ? mark.Next : ReceiveQueue.First;
            if (unread != null || isEmbryo)
                peer.PendingError = Errno.ECONNRESET;
        }

        PeerWait.Wake(EpollEvents.None, exclusive: 0);
        if (tellsPeer)
            peer!.OnStateChange();
        if (peer != null)
            LeavePeerWait(peer);
        while (ReceiveQueue.First is { } message)
        {
            ReceiveQueue.Remove(message);
            if (wasListening)
                message.Sender.ReleaseSocket(isEmbryo: true);
            Free(message);
        }
    }

    private protected virtual void OnReleased()
    {
    }

    /// <summary>It waits for room at <paramref name="other"/> no longer: unix_dgram_peer_wake_disconnect.</summary>
    private protected virtual void LeavePeerWait(UnixSocket other)
    {
    }
}
