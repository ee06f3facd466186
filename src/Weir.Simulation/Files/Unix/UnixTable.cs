using System.Text;

namespace Weir.Simulation;

/// <summary>A socket in the file system: the name stays when the socket is closed, and the socket when the name is removed.</summary>
internal sealed class UnixNode(UnixSocket socket) : FileNode
{
    internal UnixSocket? Socket { get; set; } = socket;

    internal override byte DirectoryType => DirectoryEntryTypes.Socket;

    // A socket is connected to, not opened.
    internal override SimFile? Open(SimThread thread, Machine machine, string path, FileFlags flags, out int error)
    {
        error = -(int)Errno.ENXIO;
        return null;
    }
}

/// <summary>What the unix sockets of one machine share.</summary>
internal sealed class UnixTable
{
    // An abstract name is its bytes, one for each kind of socket.
    private readonly Dictionary<(SocketKind Kind, string Name), UnixSocket> _abstract = [];
    private int _lastAutomatic;

    /// <summary>net.unix.max_dgram_qlen: a receiver with more messages than this takes no more from those it is not connected to.</summary>
    internal int MaxDatagramQueue { get; set; } = 10;

    internal UnixMessagePool Messages { get; } = new();

    internal UnixGarbage Garbage { get; } = new();

    // Each byte is one character, so that no two names become one.
    internal static string AbstractName(ReadOnlySpan<byte> path) => Encoding.Latin1.GetString(path);

    internal UnixSocket? FindAbstract(SocketKind kind, string name) => _abstract.GetValueOrDefault((kind, name));

    internal bool TryAddAbstract(SocketKind kind, string name, UnixSocket socket) => _abstract.TryAdd((kind, name), socket);

    internal void RemoveAbstract(SocketKind kind, string name, UnixSocket socket)
    {
        if (FindAbstract(kind, name) == socket)
            _abstract.Remove((kind, name));
    }

    /// <summary>A name of five hexadecimal digits that nobody has: Linux begins anywhere, here they are counted up. Null: all are taken.</summary>
    internal string? AddAutomatic(SocketKind kind, UnixSocket socket)
    {
        const int Names = 1 << 20;
        for (int tries = 0; tries < Names; tries++)
        {
            _lastAutomatic = (_lastAutomatic + 1) % Names;
            string name = $"\0{_lastAutomatic:x5}";
            if (TryAddAbstract(kind, name, socket))
                return name;
        }

        return null;
    }
}
