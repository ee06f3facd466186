using System.Runtime.InteropServices;

namespace Weir.Net;

// Descriptors and credentials beside the bytes of a unix socket: unix(7), "Ancillary messages".
public sealed partial class Connection
{
    /// <summary>As many descriptors as one message can carry: SCM_MAX_FD of unix(7).</summary>
    public const int MostDescriptors = 253;

    private const int CredentialsSize = 12; // struct ucred

    /// <summary>
    /// Who called connect or listen at the other end of a unix socket, as it was then: SO_PEERCRED of unix(7). For whom to trust; a process number may
    /// mean another process by now.
    /// </summary>
    /// <exception cref="InvalidOperationException">Not a unix socket.</exception>
    public unsafe ProcessCredentials PeerCredentials
    {
        get
        {
            int fd = DescriptorOnLoop();
            if (GetOption(SocketLevel.Socket, SocketOption.SocketDomain) != (int)SocketDomain.Unix)
                throw new InvalidOperationException("Only unix sockets know who their peer is.");
            ProcessCredentials credentials;
            uint length = CredentialsSize;
            KernelException.Check(Kernel.GetSockOpt(fd, SocketLevel.Socket, SocketOption.SocketPeerCredentials, &credentials, &length), "getsockopt(SO_PEERCRED)", fd);
            return credentials;
        }
    }

    /// <summary>
    /// SO_PASSCRED of unix(7): whether <see cref="ReceiveDescriptorsAsync"/> is told who sent what it receives. Off from the start.
    /// </summary>
    public bool PassCredentials
    {
        get => GetOption(SocketLevel.Socket, SocketOption.SocketPassCredentials) != 0;
        set => SetOption(SocketLevel.Socket, SocketOption.SocketPassCredentials, value ? 1 : 0);
    }

    /// <summary>
    /// Writes bytes to a unix socket and has descriptors go with the first of them: the receiver gets duplicates (SCM_RIGHTS). The descriptors stay
    /// the caller's, who may close them when this has completed. The loop's thread only.
    /// </summary>
    /// <param name="bytes">At least one: a stream carries descriptors beside bytes only.</param>
    /// <param name="descriptors">At most <see cref="MostDescriptors"/>.</param>
    /// <param name="cancellationToken">Cancelled before the first byte is sent: nothing is. Later: the descriptors are, and a part of the bytes.</param>
    /// <exception cref="KernelException">
    /// EBADF: one of them is not open; ETOOMANYREFS: too many are under way and not received; EINVAL: no unix socket; EPIPE and the like.
    /// </exception>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    public ValueTask SendDescriptorsAsync(ReadOnlyMemory<byte> bytes, ReadOnlyMemory<int> descriptors, CancellationToken cancellationToken = default)
        => SendBeside(bytes, descriptors, null, "sendmsg(SCM_RIGHTS)", cancellationToken);

    /// <summary>
    /// Writes bytes to a unix socket and says who sends them (SCM_CREDENTIALS), which the kernel checks: a receiver that has asked for it
    /// (<see cref="PassCredentials"/>) is told so in place of this process's own. For those who speak for others. The loop's thread only.
    /// </summary>
    /// <param name="bytes">At least one.</param>
    /// <param name="sender">
    /// This process, and its real, effective or saved user and group; another process takes CAP_SYS_ADMIN and must exist, another user CAP_SETUID, another group
    /// CAP_SETGID. Who has <see cref="PeerCredentials"/> of a pair of its own knows itself.
    /// </param>
    /// <param name="descriptors">Descriptors to go along, as with <see cref="SendDescriptorsAsync"/>.</param>
    /// <param name="cancellationToken">Cancelled before the first byte is sent: nothing is. Later: a part of the bytes.</param>
    /// <exception cref="KernelException">EPERM: not allowed; ESRCH: no such process; EINVAL: no such user or group, or no unix socket; as of SendDescriptorsAsync.</exception>
    /// <exception cref="BusyResourceException">Someone else is writing.</exception>
    public ValueTask SendCredentialsAsync(
        ReadOnlyMemory<byte> bytes, ProcessCredentials sender, ReadOnlyMemory<int> descriptors = default, CancellationToken cancellationToken = default)
        => SendBeside(bytes, descriptors, sender, SocketCalls.SendCredentialsName, cancellationToken);

    private async ValueTask SendBeside(
        ReadOnlyMemory<byte> bytes, ReadOnlyMemory<int> descriptors, ProcessCredentials? sender, string name, CancellationToken cancellationToken)
    {
        RequireLoop();
        if (bytes.IsEmpty)
            throw new ArgumentException("Descriptors and credentials travel beside bytes: send at least one.", nameof(bytes));
        if (descriptors.Length > MostDescriptors)
            throw new ArgumentOutOfRangeException(nameof(descriptors), descriptors.Length, $"One message carries at most {MostDescriptors} descriptors.");
        int sent = await CallWhenWritable(fd => SendOnce(fd, bytes.Span, descriptors.Span, sender), name, cancellationToken);
        if (sent < bytes.Length)
            await WriteAsync(bytes[sent..], cancellationToken);
    }

    /// <summary>
    /// Reads bytes from a unix socket together with descriptors that were sent along: duplicates, close-on-exec, which the caller must close. The loop's
    /// thread only.
    /// </summary>
    /// <remarks>
    /// <para>One call never reads past bytes that carry descriptors of their own, so what belongs together comes together. A cancelled call has taken
    /// nothing.</para>
    /// <para>Use it for all reads of a connection on which descriptors come: another read drops those that come with its bytes, and on io_uring, which
    /// receives ahead, also those of bytes that came after them until the first call of this one.</para>
    /// </remarks>
    /// <param name="buffer">For the bytes; not empty.</param>
    /// <param name="descriptors">
    /// For the descriptors. Too small a one loses those that do not fit (they are closed): <see cref="ReceivedDescriptors.AreMissing"/>.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="KernelException">The read failed: ECONNRESET and the like.</exception>
    /// <exception cref="BusyResourceException">Someone else is reading.</exception>
    public async ValueTask<ReceivedDescriptors> ReceiveDescriptorsAsync(Memory<byte> buffer, Memory<int> descriptors, CancellationToken cancellationToken = default)
    {
        RequireLoop();
        if (buffer.IsEmpty)
            throw new ArgumentException("An empty buffer cannot tell bytes from the end.", nameof(buffer));
        if (Loop.Driver.LeaveInKernel(Token) > 0 && TryRead(buffer.Span, out int held))
            return new ReceivedDescriptors(held, 0, false, null);
        ReceivedDescriptors received = default;
        int count = await CallWhenReadable(fd => ReceiveOnce(fd, buffer.Span, descriptors.Span, out received), "recvmsg", cancellationToken);
        return received with { Bytes = count };
    }

    // Calls on the socket itself, beside what the driver has operations for.

    /// <summary>Makes a call that reads from the socket, when there is something to read, until it has a result.</summary>
    private async ValueTask<int> CallWhenReadable(Func<int, nint> call, string name, CancellationToken cancellationToken)
    {
        while (true)
        {
            await WaitForDataAsync(cancellationToken);
            int fd = OpenDescriptor;
            nint result = call(fd);
            if (result >= 0)
            {
                Loop.Queue.Spend((int)result);
                return (int)result;
            }

            if (result == -(int)Errno.EAGAIN)
                Loop.Driver.Readiness(Token, EpollEvents.In);
            else if (result != -(int)Errno.EINTR)
                throw new KernelException(name, fd, (Errno)(-(int)result));
        }
    }

    /// <summary>Makes a call that writes to the socket, after all that was written before, until it has a result.</summary>
    private async ValueTask<int> CallWhenWritable(Func<int, nint> call, string name, CancellationToken cancellationToken)
    {
        while (true)
        {
            await WaitWritableAsync(cancellationToken);
            int fd = OpenDescriptor;
            nint result = Loop.Driver.ObstacleToWriting(Token);
            if (result == 0)
                result = call(fd);
            if (result >= 0)
            {
                Loop.Queue.Spend((int)result);
                return (int)result;
            }

            if (result == -(int)Errno.EAGAIN)
            {
                int error = Loop.Driver.NoteFull(Token);
                if (error < 0)
                    throw Failure(OperationKind.Write, error);
            }
            else if (result != -(int)Errno.EINTR)
            {
                throw new KernelException(name, fd, (Errno)(-(int)result));
            }
        }
    }

    private unsafe nint SendOnce(int fd, ReadOnlySpan<byte> bytes, ReadOnlySpan<int> descriptors, ProcessCredentials? sender)
    {
        Span<byte> control = stackalloc byte[ControlMessages.SpaceFor(descriptors.Length * sizeof(int)) + ControlMessages.SpaceFor(CredentialsSize)];
        var writer = new ControlMessageWriter(control);
        if (!descriptors.IsEmpty)
            writer.TryAdd(SocketLevel.Socket, ControlMessageType.SocketRights, MemoryMarshal.AsBytes(descriptors));
        if (sender is { } credentials)
            writer.TryAdd(SocketLevel.Socket, ControlMessageType.SocketCredentials, credentials);
        fixed (byte* first = bytes, head = control)
        {
            var vector = new IoVector { Base = first, Length = (nuint)bytes.Length };
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = writer.Length == 0 ? null : head, ControlLength = (nuint)writer.Length };
            return Kernel.SendMessage(fd, &message, MessageFlags.DontWait | MessageFlags.NoSignal);
        }
    }

    private unsafe nint ReceiveOnce(int fd, Span<byte> buffer, Span<int> descriptors, out ReceivedDescriptors received)
    {
        received = default;
        // Room for as many as are wanted; the kernel closes the others. A message is padded to 8 bytes, so one more may come.
        int room = Math.Min(descriptors.Length, MostDescriptors);
        Span<byte> control = stackalloc byte[ControlMessages.SpaceFor(CredentialsSize) + (room == 0 ? 0 : ControlMessages.SpaceFor(room * sizeof(int)))];
        MessageHeader message;
        nint count;
        fixed (byte* first = buffer, head = control)
        {
            var vector = new IoVector { Base = first, Length = (nuint)buffer.Length };
            message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = head, ControlLength = (nuint)control.Length };
            count = Kernel.ReceiveMessage(fd, &message, MessageFlags.DontWait | MessageFlags.CloseOnExec);
        }

        if (count < 0)
            return count;
        int taken = 0;
        bool areMissing = (message.Flags & MessageFlags.ControlTruncated) != 0;
        ProcessCredentials? sender = null;
        foreach (ControlMessage entry in new ControlMessageReader(control[..(int)message.ControlLength]))
        {
            if (entry.Is(SocketLevel.Socket, ControlMessageType.SocketCredentials) && entry.TryRead(out ProcessCredentials credentials))
                sender = credentials;
            if (!entry.Is(SocketLevel.Socket, ControlMessageType.SocketRights))
                continue;
            foreach (int descriptor in MemoryMarshal.Cast<byte, int>(entry.Data))
            {
                if (taken < descriptors.Length)
                {
                    descriptors[taken++] = descriptor;
                    continue;
                }

                Kernel.Close(descriptor);
                areMissing = true;
            }
        }

        received = new ReceivedDescriptors(0, taken, areMissing, sender);
        return count;
    }
}
