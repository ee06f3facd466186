using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Net;

namespace Weir.Tool.Commands;

/// <summary>
/// Addresses as people write them: HOST:PORT, [IPv6]:PORT, *:PORT, :PORT, unix:/path, unix:@abstract; to listen on, also what was inherited.
/// </summary>
internal static class Address
{
    private const string UnixPrefix = "unix:";

    // struct sockaddr_un has 108 bytes for the path; a path ends with a zero, an abstract name begins with one (unix(7)).
    internal const int MostPathBytes = 107;

    /// <summary>
    /// Reads an address. A host name comes back as a <see cref="DnsEndPoint"/>; <c>*</c> and an empty host as one with that host, for what
    /// they mean depends on whether one listens or connects.
    /// </summary>
    internal static bool TryParse(string text, out EndPoint endPoint, out string error)
    {
        endPoint = null!;
        error = "";
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
            return TryParseUnix(text, out endPoint, out error);

        int colon = text.LastIndexOf(':');
        if (colon < 0)
        {
            error = $"'{text}' is no address: it has no port. Write HOST:PORT, [IPv6]:PORT, *:PORT, unix:/path or unix:@name.";
            return false;
        }

        string host = text[..colon], portText = text[(colon + 1)..];
        if (!ushort.TryParse(portText, System.Globalization.NumberStyles.None, null, out ushort port))
        {
            error = $"'{text}' is no address: the port is a number from 0 to 65535, not '{portText}'.";
            return false;
        }

        if (host.StartsWith('['))
        {
            // The framework's parser passes over brackets and a port.
            if (!host.EndsWith(']') || host.AsSpan(1, host.Length - 2).ContainsAny('[', ']') || !IPAddress.TryParse(host[1..^1], out IPAddress? v6) || v6.AddressFamily != AddressFamily.InterNetworkV6)
            {
                error = $"'{text}' is no address: {host} is not an IPv6 address in brackets.";
                return false;
            }

            endPoint = new IPEndPoint(v6, port);
            return true;
        }

        if (host.Contains(':'))
        {
            error = $"'{text}' is no address: an IPv6 address is written in brackets, [{host}]:{port}.";
            return false;
        }

        if (IsNumeric(host))
        {
            // "10.0.0", "1" and "010.0.0.1" are IPv4 addresses to the framework, as to inet_aton(3); whoever types them means something else.
            if (!IPAddress.TryParse(host, out IPAddress? v4) || v4.ToString() != host)
            {
                error = $"'{text}' is no address: {host} is not an IPv4 address of four numbers from 0 to 255.";
                return false;
            }

            endPoint = new IPEndPoint(v4, port);
            return true;
        }

        if (host is not ("" or "*") && Uri.CheckHostName(host) != UriHostNameType.Dns)
        {
            error = $"'{text}' is no address: '{host}' is not a host name.";
            return false;
        }

        // DnsEndPoint refuses an empty host; both mean the same to who resolves it.
        endPoint = new DnsEndPoint(host.Length == 0 ? "*" : host, port);
        return true;
    }

    private static bool TryParseUnix(string text, out EndPoint endPoint, out string error)
    {
        string path = text[UnixPrefix.Length..];
        endPoint = null!;
        error = "";
        if (path is "" or "@")
        {
            error = $"'{text}' is no address: the path is missing. Write unix:/path or unix:@name.";
            return false;
        }

        int length = Encoding.UTF8.GetByteCount(path);
        if (length > MostPathBytes)
        {
            error = $"'{text}' is no address: the path of a unix socket has at most {MostPathBytes} bytes, this one has {length}.";
            return false;
        }

        if (path.Contains('\0'))
        {
            error = "A unix path cannot contain a zero character.";
            return false;
        }

        endPoint = new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path);
        return true;
    }

    // Or hexadecimal, which the framework reads as well.
    private static bool IsNumeric(string host) => host.Length > 0 && (host.All(c => char.IsAsciiDigit(c) || c == '.') || IPAddress.TryParse(host, out _));

    /// <summary>As <see cref="TryParse"/> reads it.</summary>
    internal static string Format(EndPoint endPoint) => endPoint switch
    {
        InheritedEndPoint inherited => inherited.ToString(),
        UnixDomainSocketEndPoint unix => UnixPrefix + unix,
        DnsEndPoint name => $"{name.Host}:{name.Port}",
        _ => endPoint.ToString()!,
    };

    /// <summary>The addresses to listen on: one, or with <c>systemd</c> all that were inherited. <c>*</c> is any address of any family.</summary>
    /// <exception cref="ToolException">Not an address, a host that nobody knows, or nothing inherited.</exception>
    internal static EndPoint[] ForListening(string text)
    {
        if (InheritedEndPoint.TryParse(text, out InheritedEndPoint[] inherited))
            return inherited;
        return Parse(text) switch
        {
            DnsEndPoint { Host: "*" } any => [new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, any.Port)],
            DnsEndPoint name => [Resolve(name)[0]],
            EndPoint endPoint => [endPoint],
        };
    }

    /// <summary>Listens on an address of <see cref="ForListening"/>.</summary>
    /// <exception cref="KernelException">The address is in use, and the like.</exception>
    internal static Listener Listen(EndPoint endPoint)
        => endPoint is InheritedEndPoint inherited ? Listener.FromDescriptor(inherited.Descriptor.FileDescriptor) : Listener.Bind(endPoint);

    /// <summary>The addresses to connect to, each to be tried in turn. An empty host is this machine.</summary>
    /// <exception cref="ToolException">Not an address, or a host that nobody knows.</exception>
    internal static EndPoint[] ForConnecting(string text)
    {
        EndPoint parsed = Parse(text);
        if (parsed is IPEndPoint { Port: 0 } or DnsEndPoint { Port: 0 })
            throw new ToolException($"'{text}': nothing can be reached at port 0.", CommandLine.UsageError);
        return parsed switch
        {
            DnsEndPoint { Host: "*" } any => [new IPEndPoint(IPAddress.Loopback, any.Port)],
            DnsEndPoint name => Resolve(name),
            _ => [parsed],
        };
    }

    private static EndPoint Parse(string text)
        => TryParse(text, out EndPoint endPoint, out string error) ? endPoint : throw new ToolException(error, CommandLine.UsageError);

    // IPv4 first: where a name has both, as localhost has, most servers listen there.
    private static EndPoint[] Resolve(DnsEndPoint name)
    {
        IPAddress[] addresses;
        try
        {
            addresses = Dns.GetHostAddresses(name.Host);
        }
        catch (SocketException exception)
        {
            throw new ToolException($"unknown host '{name.Host}': {exception.Message}");
        }

        return addresses.Length == 0
            ? throw new ToolException($"unknown host '{name.Host}': it has no address")
            : [.. addresses.OrderBy(address => address.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).Select(address => new IPEndPoint(address, name.Port))];
    }
}
