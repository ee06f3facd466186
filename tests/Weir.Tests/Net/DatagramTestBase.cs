using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Tests;

/// <summary>What the tests of datagram sockets share.</summary>
public abstract class DatagramTestBase : NetTestBase
{
    public static TheoryData<string> Families => ["v4", "v6", "unix"];

    /// <summary>A socket with an address of a family a theory names.</summary>
    protected DatagramSocket Bound(string family, DatagramOptions? options = null) => DatagramSocket.Bind(AddressOf(family), options);

    protected EndPoint AddressOf(string family) => family switch
    {
        "v4" => AnyPort,
        "v6" => new IPEndPoint(IPAddress.IPv6Loopback, 0),
        "dual" => new IPEndPoint(IPAddress.IPv6Any, 0),
        "unix" => new UnixDomainSocketEndPoint(NewPath()),
        "abstract" => NewAbstractName(),
        _ => throw new ArgumentException(family, nameof(family)),
    };

    /// <summary>Two sockets of which each is the other's peer.</summary>
    protected (DatagramSocket First, DatagramSocket Second) ConnectedPair(string family)
    {
        if (family == "pair")
            return DatagramSocket.CreatePair();
        DatagramSocket first = Bound(family), second = Bound(family);
        first.Connect(second.LocalEndPoint!);
        second.Connect(first.LocalEndPoint!);
        return (first, second);
    }

    // The framework compares whole buffers, and one to receive with has room for the longest path.
    protected static void AssertIs(DatagramSocket expected, SocketAddress address)
        => Assert.Equal(AddressOf(expected).ToString(), address.ToString());

    protected static SocketAddress AddressOf(DatagramSocket socket) => socket.LocalEndPoint!.Serialize();
}
