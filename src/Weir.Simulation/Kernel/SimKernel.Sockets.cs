namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    private const int SocketAddressCapacity = 128; // sizeof(struct sockaddr_storage)

    /// <inheritdoc/>
    public override int Socket(SocketDomain domain, SocketKind kind, int protocol)
    {
        using Call call = Begin(SystemCall.Socket);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        SimSocket? socket = Sockets.Make(this, domain, kind, protocol, out int error);
        return call.Returns(socket == null ? error : Install(socket, closeOnExec: true));
    }

    /// <inheritdoc/>
    public override int SocketPair(SocketDomain domain, SocketKind kind, int protocol, int* fds)
    {
        using Call call = Begin(SystemCall.SocketPair);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (!UserMemory.IsMapped(fds, 2 * sizeof(int)))
            return call.Returns(-(int)Errno.EFAULT);
        int error = Sockets.MakePair(this, domain, kind, protocol, out SimSocket? first, out SimSocket? second);
        return call.Returns(error < 0 ? error : InstallTwo(first!, second!, closeOnExec: true, fds));
    }

    /// <inheritdoc/>
    public override int Bind(int fd, void* address, uint length)
    {
        using Call call = Begin(SystemCall.Bind, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error == 0)
            error = TryAddress(address, length, out ReadOnlySpan<byte> bytes) is int bad and < 0 ? bad : socket!.Bind(call.Thread, bytes);
        return call.Returns(error);
    }

    /// <inheritdoc/>
    public override int Listen(int fd, int backlog)
    {
        using Call call = Begin(SystemCall.Listen, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        return call.Returns(error < 0 ? error : socket!.Listen(backlog));
    }

    /// <inheritdoc/>
    public override int Accept4(int fd, void* address, uint* length)
    {
        using Call call = Begin(SystemCall.Accept4, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error < 0)
            return call.Returns(error);
        // The number is reserved before a connection is taken, so that a shortage loses none.
        int free = Machine.OpenFiles >= Machine.MaxOpenFiles ? -(int)Errno.ENFILE : Descriptors.FindFree();
        if (free < 0)
            return call.Returns(free);
        error = socket!.Accept(call.Thread, out SimSocket? accepted);
        if (error < 0)
            return call.Returns(error);
        if (address != null)
        {
            accepted!.PeerAddress(out byte[] peer);
            error = PutAddress(peer, address, length);
            if (error < 0)
            {
                accepted.Acquire();
                accepted.Drop();
                return call.Returns(error);
            }
        }

        return call.Returns(Install(accepted!, closeOnExec: true));
    }

    /// <inheritdoc/>
    public override int Connect(int fd, void* address, uint length)
    {
        using Call call = Begin(SystemCall.Connect, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error == 0)
            error = TryAddress(address, length, out ReadOnlySpan<byte> bytes) is int bad and < 0 ? bad : socket!.Connect(call.Thread, bytes);
        return call.Returns(error);
    }

    /// <inheritdoc/>
    public override int Shutdown(int fd, ShutdownHow how)
    {
        using Call call = Begin(SystemCall.Shutdown, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error == 0)
            error = how is < ShutdownHow.Read or > ShutdownHow.Both ? -(int)Errno.EINVAL : socket!.Shutdown(how);
        return call.Returns(error);
    }

    /// <inheritdoc/>
    public override int GetSockName(int fd, void* address, uint* length)
    {
        using Call call = Begin(SystemCall.GetSockName, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error == 0)
            error = socket!.LocalAddress(out byte[] bytes) is int bad and < 0 ? bad : PutAddress(bytes, address, length);
        return call.Returns(error);
    }

    /// <inheritdoc/>
    public override int GetPeerName(int fd, void* address, uint* length)
    {
        using Call call = Begin(SystemCall.GetPeerName, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error == 0)
            error = socket!.PeerAddress(out byte[] bytes) is int bad and < 0 ? bad : PutAddress(bytes, address, length);
        return call.Returns(error);
    }

    /// <inheritdoc/>
    public override int GetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint* length)
    {
        using Call call = Begin(SystemCall.GetSockOpt, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error < 0)
            return call.Returns(error);
        if (!UserMemory.IsMapped(length, sizeof(uint)) || !UserMemory.IsMapped(value, *length))
            return call.Returns(-(int)Errno.EFAULT);
        Span<byte> room = stackalloc byte[64];
        error = socket!.GetOption(level, option, room, out int size);
        if (error < 0)
            return call.Returns(error);
        size = (int)Math.Min((uint)size, *length);
        room[..size].CopyTo(new Span<byte>(value, size));
        *length = (uint)size;
        return call.Returns(0);
    }

    /// <inheritdoc/>
    public override int SetSockOpt(int fd, SocketLevel level, SocketOption option, void* value, uint length)
    {
        using Call call = Begin(SystemCall.SetSockOpt, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error == 0)
            error = UserMemory.IsMapped(value, length) ? socket!.SetOption(level, option, new ReadOnlySpan<byte>(value, (int)length)) : -(int)Errno.EFAULT;
        return call.Returns(error);
    }

    /// <inheritdoc/>
    public override nint Receive(int fd, void* buffer, nuint length, MessageFlags flags)
    {
        using Call call = Begin(SystemCall.Receive, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error < 0)
            return call.Returns((nint)error);
        IoVector vector = new() { Base = buffer, Length = length }, shortened;
        UserBuffer user = World.Faults.Shorten(socket!, writes: false, &vector, 1, &shortened, flags);
        return call.Returns(socket!.Receive(call.Thread, ref user, flags, null));
    }

    /// <inheritdoc/>
    public override nint Send(int fd, void* buffer, nuint length, MessageFlags flags)
    {
        using Call call = Begin(SystemCall.Send, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        if (error < 0)
            return call.Returns((nint)error);
        IoVector vector = new() { Base = buffer, Length = length }, shortened;
        UserBuffer user = World.Faults.Shorten(socket!, writes: true, &vector, 1, &shortened, flags);
        return call.Returns(socket!.Send(call.Thread, ref user, flags, null));
    }

    /// <inheritdoc/>
    public override nint ReceiveMessage(int fd, MessageHeader* message, MessageFlags flags)
    {
        using Call call = Begin(SystemCall.ReceiveMessage, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        return call.Returns(error < 0 ? error : ReceiveMessageOf(call, socket!, message, flags));
    }

    // ___sys_recvmsg
    private nint ReceiveMessageOf(in Call call, SimSocket socket, MessageHeader* message, MessageFlags flags)
    {
        if (!UserMemory.IsMapped(message, (nuint)sizeof(MessageHeader)))
            return -(int)Errno.EFAULT;
        int error = 0;
        var extras = new MessageExtras();
        IoVector shortened;
        UserBuffer user = World.Faults.Shorten(socket, writes: false, message->Vectors, (int)message->VectorCount, &shortened, flags);
        nint count = socket.Receive(call.Thread, ref user, flags, extras);
        if (count < 0)
            return count;
        message->Flags = extras.Flags | (flags & MessageFlags.CloseOnExec);
        if (message->Name != null)
            error = PutAddress(extras.Address ?? [], message->Name, &message->NameLength);
        else
            message->NameLength = 0;
        PutControl(message, extras, flags);
        return error < 0 ? error : count;
    }

    /// <inheritdoc/>
    public override nint SendMessage(int fd, MessageHeader* message, MessageFlags flags)
    {
        using Call call = Begin(SystemCall.SendMessage, fd);
        int error = FindSocket(call, fd, out SimSocket? socket);
        return call.Returns(error < 0 ? error : SendMessageOf(call, socket!, message, flags));
    }

    // ___sys_sendmsg
    private nint SendMessageOf(in Call call, SimSocket socket, MessageHeader* message, MessageFlags flags)
    {
        if (!UserMemory.IsMapped(message, (nuint)sizeof(MessageHeader)))
            return -(int)Errno.EFAULT;
        int error = 0;
        var extras = new MessageExtras();
        if (message->Name != null)
        {
            error = TryAddress(message->Name, message->NameLength, out ReadOnlySpan<byte> to);
            extras.Address = to.ToArray();
        }

        if (error == 0)
            error = TakeControl(message, extras);
        nint result = error;
        if (error == 0)
        {
            IoVector shortened;
            UserBuffer user = World.Faults.Shorten(socket, writes: true, message->Vectors, (int)message->VectorCount, &shortened, flags);
            result = socket.Send(call.Thread, ref user, flags, extras);
        }

        extras.Files?.ForEach(file => file.Drop()); // those that no message has taken
        return result;
    }

    /// <summary>What a call on a socket begins with. Not 0: what it returns, a fault that strikes or that there is no socket of this number.</summary>
    private int FindSocket(in Call call, int fd, out SimSocket? socket)
    {
        socket = null;
        if (call.Fault < 0)
            return call.Fault;
        SimFile? file = Descriptors.Find(fd);
        socket = file as SimSocket;
        return socket != null ? 0 : file == null ? -(int)Errno.EBADF : -(int)Errno.ENOTSOCK;
    }

    internal static int TryAddress(void* address, uint length, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        if (length > SocketAddressCapacity)
            return -(int)Errno.EINVAL;
        if (!UserMemory.IsMapped(address, length))
            return -(int)Errno.EFAULT;
        bytes = new ReadOnlySpan<byte>(address, (int)length);
        return 0;
    }

    // move_addr_to_user: copies what fits and says how long it really is.
    internal static int PutAddress(ReadOnlySpan<byte> bytes, void* address, uint* length)
    {
        if (!UserMemory.IsMapped(length, sizeof(uint)))
            return -(int)Errno.EFAULT;
        if ((int)*length < 0)
            return -(int)Errno.EINVAL;
        int copied = (int)Math.Min(*length, (uint)bytes.Length);
        if (!UserMemory.IsMapped(address, (nuint)copied))
            return -(int)Errno.EFAULT;
        bytes[..copied].CopyTo(new Span<byte>(address, copied));
        *length = (uint)bytes.Length;
        return 0;
    }
}
