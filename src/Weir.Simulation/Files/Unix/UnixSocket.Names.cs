using System.Text;

namespace Weir.Simulation;

internal abstract partial class UnixSocket
{
    private const int PathOffset = 2; // offsetof(struct sockaddr_un, sun_path)
    private const int LongestAddress = 110; // sizeof(struct sockaddr_un)
    private static readonly byte[] Unnamed = [(byte)SocketDomain.Unix, 0];

    private byte[]? _address;
    private UnixNode? _node;

    /// <summary>Its address as a sockaddr; null: it has none.</summary>
    internal byte[]? Address => _address;

    private static bool IsUnix(ReadOnlySpan<byte> address) => address.Length >= PathOffset && address[0] == (byte)SocketDomain.Unix && address[1] == 0;

    /// <summary>unix_validate_addr.</summary>
    protected static bool IsValid(ReadOnlySpan<byte> address) => address.Length is > PathOffset and <= LongestAddress && IsUnix(address);

    internal override int Bind(SimThread thread, ReadOnlySpan<byte> address)
    {
        if (address.Length == PathOffset && IsUnix(address))
            return BindAutomatically();
        if (!IsValid(address))
            return -(int)Errno.EINVAL;
        return address[PathOffset] != 0 ? BindPath(address) : BindAbstract(address);
    }

    // unix_bind_bsd: the name is made first, so that one that exists says so even to a socket that has a name already.
    private int BindPath(ReadOnlySpan<byte> address)
    {
        string path = PathOf(address);
        var node = new UnixNode(this);
        int error = Machine.MakeNode(path, node);
        if (error < 0)
            return error == -(int)Errno.EEXIST ? -(int)Errno.EADDRINUSE : error;
        if (_address != null)
        {
            Machine.Unlink(path);
            return -(int)Errno.EINVAL;
        }

        int length = address[PathOffset..].IndexOf((byte)0);
        if (length < 0)
            length = address.Length - PathOffset;
        _address = new byte[PathOffset + length + 1]; // a path counts with its terminating zero
        address[..(PathOffset + length)].CopyTo(_address);
        _node = node;
        return 0;
    }

    private int BindAbstract(ReadOnlySpan<byte> address)
    {
        if (_address != null)
            return -(int)Errno.EINVAL;
        if (!Table.TryAddAbstract(Type, UnixTable.AbstractName(address[PathOffset..]), this))
            return -(int)Errno.EADDRINUSE;
        _address = address.ToArray();
        return 0;
    }

    // unix_autobind
    private int BindAutomatically()
    {
        if (_address != null)
            return 0;
        string? name = Table.AddAutomatic(Type, this);
        if (name == null)
            return -(int)Errno.ENOSPC;
        _address = [.. Unnamed, .. Encoding.Latin1.GetBytes(name)];
        return 0;
    }

    /// <summary>One that says who it is has a name by which to answer it.</summary>
    protected int BindIfCredentialsPass() => PassesCredentials && _address == null ? BindAutomatically() : 0;

    private static string PathOf(ReadOnlySpan<byte> address)
    {
        ReadOnlySpan<byte> path = address[PathOffset..];
        int end = path.IndexOf((byte)0);
        return PathText.Decode(end < 0 ? path : path[..end]);
    }

    /// <summary>unix_find_other. Null: the error.</summary>
    protected UnixSocket? FindOther(ReadOnlySpan<byte> address, out int error)
    {
        UnixSocket? found;
        error = 0;
        if (address[PathOffset] == 0)
            found = Table.FindAbstract(Type, UnixTable.AbstractName(address[PathOffset..]));
        else
            found = (Machine.FindNode(PathOf(address), out error) as UnixNode)?.Socket;
        if (error == 0 && found == null)
            error = -(int)Errno.ECONNREFUSED;
        else if (error == 0 && found!.Type != Type)
            error = -(int)Errno.EPROTOTYPE;
        return error == 0 ? found : null;
    }

    // The node stays in the file system: to connect to it is refused, to bind to it again as well.
    private void RemoveName()
    {
        if (_node?.Socket == this)
            _node.Socket = null;
        if (_node == null && _address != null)
            Table.RemoveAbstract(Type, UnixTable.AbstractName(_address.AsSpan(PathOffset)), this);
    }

    internal override int LocalAddress(out byte[] address)
    {
        address = _address ?? Unnamed;
        return 0;
    }

    internal override int PeerAddress(out byte[] address)
    {
        address = Peer?._address ?? Unnamed;
        return Peer == null ? -(int)Errno.ENOTCONN : 0;
    }
}
