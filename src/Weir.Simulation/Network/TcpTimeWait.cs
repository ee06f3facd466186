namespace Weir.Simulation;

/// <summary>
/// What is left of a connection that this side has closed first: struct inet_timewait_sock. It holds the port for a minute and answers
/// stray segments; with the descriptor closed before the peer's FIN has come it also stands for the connection in FIN_WAIT2.
/// </summary>
internal sealed class TcpTimeWait : IPortOwner
{
    internal const long Length = 60_000_000_000; // TCP_TIMEWAIT_LEN

    internal TcpTimeWait(TcpSocket socket, ConnectionKey key, long sendNext, long receiveNext, bool awaitsFin)
    {
        Key = key;
        SendNext = sendNext;
        ReceiveNext = receiveNext;
        AwaitsFin = awaitsFin;
        ReusesAddress = socket.ReusesAddress;
        ReusesPort = socket.ReusesPort;
        ExpiresAt = socket.World.Now + Length;
    }

    internal ConnectionKey Key { get; }

    internal long SendNext { get; }

    internal long ReceiveNext { get; set; }

    /// <summary>FIN_WAIT2: the peer may still send, and is reset if it does.</summary>
    internal bool AwaitsFin { get; set; }

    /// <summary>Looked at when it matters; no timer runs for it.</summary>
    internal long ExpiresAt { get; set; }

    internal bool IsGone { get; set; }

    public InetEndPoint LocalEnd => Key.Local;

    public bool ReusesAddress { get; }

    public bool ReusesPort { get; }

    public bool IsVersion6Only => false;

    public bool IsListening => false;

    public bool IsTimeWait => true;

    public LinkedListNode<IPortOwner>? PortNode { get; set; }
}
