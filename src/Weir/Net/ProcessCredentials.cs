namespace Weir.Net;

/// <summary>
/// Who is, or was, at the other end of a unix socket: struct ucred of unix(7). The kernel says so, not the peer; or the peer does, and the kernel has
/// checked that it may (SCM_CREDENTIALS).
/// </summary>
/// <param name="ProcessId">The process; 0 if it is in another process namespace.</param>
/// <param name="UserId">Its effective user.</param>
/// <param name="GroupId">Its effective group.</param>
public readonly record struct ProcessCredentials(int ProcessId, uint UserId, uint GroupId)
{
    /// <summary>Finds those that came with a message. False: there are none, since the receiver has not asked for them (SO_PASSCRED).</summary>
    public static bool TryFind(ControlMessageReader messages, out ProcessCredentials sender)
    {
        sender = default;
        return messages.MoveTo(SocketLevel.Socket, ControlMessageType.SocketCredentials) && messages.Current.TryRead(out sender);
    }
}
