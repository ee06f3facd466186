namespace Weir.Simulation;

/// <summary>IORING_OP_ACCEPT, once or with multishot until it is cancelled.</summary>
internal sealed unsafe class AcceptRequest : SocketRequest
{
    private const ushort DontWait = 1 << 1, PollFirst = 1 << 2; // IORING_ACCEPT_*
    private const uint Allowed = (uint)(FileFlags.NonBlock | FileFlags.CloseOnExec); // SOCK_NONBLOCK, SOCK_CLOEXEC

    private void* _address;
    private uint* _length;
    private uint _room;
    private FileFlags _flags;
    private bool _mayNotBlock;

    internal override EpollEvents WaitsFor => EpollEvents.In | EpollEvents.RdNorm;

    internal override bool WaitsExclusively => true;

    internal override int Prepare(in Submission entry)
    {
        if (entry.Length != 0 || entry.BufferGroup != 0 || (entry.Priority & ~(IoUringPriority.AcceptMultishot | DontWait | PollFirst)) != 0)
            return -(int)Errno.EINVAL;
        if (entry.FileIndex != 0)
            throw new NotSupportedException("not emulated: accept into a table of registered files");
        if ((entry.OperationFlags & ~Allowed) != 0)
            return -(int)Errno.EINVAL;
        _address = (void*)entry.Address;
        _length = (uint*)entry.Offset;
        if (_address != null && UserMemory.IsMapped(_length, sizeof(uint)))
            _room = *_length;
        _flags = (FileFlags)entry.OperationFlags;
        NotePriority(entry.Priority, PollFirst);
        IsMultishot = (entry.Priority & IoUringPriority.AcceptMultishot) != 0;
        _mayNotBlock = MayNotWait = (entry.Priority & DontWait) != 0;
        return 0;
    }

    internal override void LendMemory()
    {
        if (_address == null || IsMultishot)
            return;
        Lend(_address, _room, BufferUse.KernelWrites);
        Lend(_length, sizeof(uint), BufferUse.KernelWrites);
    }

    internal override Issue Try(bool polled)
    {
        if (MustPollFirst)
            return Issue.Again;
        while (true)
        {
            // The number first, so that a shortage loses no connection.
            int fd = World.Faults.RefusesDescriptor(Thread, File, SystemCall.Accept4) is var refused && refused < 0 ? refused : Process.FreeDescriptor();
            if (fd < 0)
                return Failed((Errno)(-fd));
            int result = Accept(out bool? hasMore);
            if (result == -(int)Errno.EAGAIN && !_mayNotBlock)
                return polled && IsMultishot ? Issue.Pending : Issue.Again;
            CompletionFlags flags = hasMore == true ? CompletionFlags.SocketNotEmpty : CompletionFlags.None;
            if (result < 0 || !IsMultishot || World.Faults.EndsMultishot(Thread, File) || !Ring.TryPost(UserData, result, flags | CompletionFlags.More))
                return Completed(result, flags);
            if (hasMore == false)
                return polled ? Issue.Pending : Issue.Again;
        }
    }

    // The new descriptor; whether more wait, where the socket says so.
    private int Accept(out bool? hasMore)
    {
        hasMore = null;
        if (Socket is not { } listener)
            return -(int)Errno.ENOTSOCK;
        if (!World.Faults.MayTake(Thread, listener, SystemCall.Accept4))
            return -(int)Errno.EAGAIN;
        SimSocket? accepted;
        using (new NonBlockingScope(listener))
        {
            int error = listener.Accept(Thread, out accepted);
            World.Faults.AfterRing(Thread, listener, error < 0 ? error : 1, reads: true);
            if (error < 0)
                return error;
        }

        if (listener.Domain != SocketDomain.Unix)
            hasMore = (listener.Readiness & EpollEvents.In) != 0;
        accepted!.Flags = FileFlags.ReadWrite | (_flags & FileFlags.NonBlock);
        if (_address != null)
        {
            accepted.PeerAddress(out byte[] peer);
            int error = SimKernel.PutAddress(peer, _address, _length);
            if (error < 0)
            {
                accepted.Acquire();
                accepted.Drop();
                return error;
            }
        }

        return Process.Install(accepted, (_flags & FileFlags.CloseOnExec) != 0);
    }
}

/// <summary>IORING_OP_CONNECT.</summary>
internal sealed unsafe class ConnectRequest : SocketRequest
{
    private byte[] _address = [];
    private bool _isUnderWay;
    private bool _wasAborted;

    internal override bool UsesPriority => false;

    internal override EpollEvents WaitsFor => EpollEvents.Out | EpollEvents.WrNorm;

    internal override int Prepare(in Submission entry)
    {
        if (entry.Length != 0 || entry.BufferGroup != 0 || entry.OperationFlags != 0 || entry.FileIndex != 0)
            return -(int)Errno.EINVAL;
        int error = SimKernel.TryAddress((void*)entry.Address, (uint)Math.Min(entry.Offset, uint.MaxValue), out ReadOnlySpan<byte> address);
        _address = address.ToArray();
        return error;
    }

    internal override Issue Try(bool polled)
    {
        if (Socket is not { } socket)
            return Completed(-(int)Errno.ENOTSOCK);
        int result;
        using (new NonBlockingScope(socket))
            result = socket.Connect(Thread, _address);
        switch ((Errno)(-result))
        {
            case Errno.EINPROGRESS:
                _isUnderWay = true;
                return Issue.Again;
            case Errno.EAGAIN:
                return Issue.Again;
            case Errno.ECONNABORTED when !_wasAborted:
                _wasAborted = true;
                return Issue.Again;
            case Errno.EBADFD or Errno.EISCONN when _isUnderWay:
                result = -(int)socket.PendingError;
                socket.PendingError = Errno.None;
                break;
        }

        return Completed(result);
    }
}

/// <summary>IORING_OP_SHUTDOWN, which a worker does.</summary>
internal sealed class ShutdownRequest : SocketRequest
{
    private uint _how;

    internal override bool UsesPriority => false;

    internal override bool IsForWorkers => true;

    internal override int Prepare(in Submission entry)
    {
        if (entry.Offset != 0 || entry.Address != 0 || entry.OperationFlags != 0 || entry.BufferGroup != 0 || entry.FileIndex != 0)
            return -(int)Errno.EINVAL;
        _how = entry.Length;
        return 0;
    }

    internal override Issue Try(bool polled)
    {
        if (Socket is not { } socket)
            return Failed(Errno.ENOTSOCK);
        return Completed(_how > (uint)ShutdownHow.Both ? -(int)Errno.EINVAL : socket.Shutdown((ShutdownHow)_how));
    }
}
