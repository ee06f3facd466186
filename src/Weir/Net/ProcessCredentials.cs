namespace Weir.Net;

/// <summary>Who is, or was, at the other end of a unix socket: struct ucred of unix(7). The kernel says so, not the peer.</summary>
/// <param name="ProcessId">The process; 0 if it is in another process namespace.</param>
/// <param name="UserId">Its effective user.</param>
/// <param name="GroupId">Its effective group.</param>
public readonly record struct ProcessCredentials(int ProcessId, uint UserId, uint GroupId);
