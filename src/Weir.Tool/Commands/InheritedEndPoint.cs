using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Weir.Net;

namespace Weir.Tool.Commands;

/// <summary>A socket that listens already, handed over by who started the tool: <c>systemd</c>, <c>systemd:NAME</c>, <c>fd:NUMBER</c>.</summary>
internal sealed class InheritedEndPoint : EndPoint
{
    private const string Activated = "systemd";
    private const string ByName = "systemd:";
    private const string ByNumber = "fd:";

    private readonly string _text;

    private InheritedEndPoint(InheritedDescriptor descriptor, string text)
    {
        Descriptor = descriptor;
        _text = text;
    }

    internal InheritedDescriptor Descriptor { get; }

    public override string ToString() => _text;

    /// <summary>False: not an address of this kind.</summary>
    /// <exception cref="ToolException">It is, and there is no such socket.</exception>
    internal static bool TryParse(string text, out InheritedEndPoint[] endPoints)
    {
        endPoints = [];
        if (text == Activated || (text.StartsWith(ByName, StringComparison.Ordinal) && !IsPort(text[ByName.Length..])))
        {
            string? name = text == Activated ? null : text[ByName.Length..];
            InheritedDescriptor[] found = [.. FromEnvironment().Where(one => name == null || one.Name == name)];
            if (found.Length == 0)
                throw new ToolException($"'{text}': no socket was handed over{(name == null ? "" : " under that name")}; is this process started by a socket unit (LISTEN_FDS)?");
            endPoints = [.. found.Select(one => new InheritedEndPoint(Require(one, text), $"fd:{one.FileDescriptor}"))];
            return true;
        }

        if (!text.StartsWith(ByNumber, StringComparison.Ordinal) || text.IndexOf(':', ByNumber.Length) >= 0)
            return false;
        if (!int.TryParse(text[ByNumber.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int fd))
            throw new ToolException($"'{text}' is no address: fd: takes the number of a descriptor.", CommandLine.UsageError);
        try
        {
            endPoints = [new InheritedEndPoint(Require(InheritedDescriptors.FromNumber(fd), text), text)];
        }
        catch (KernelException)
        {
            throw new ToolException($"'{text}': the descriptor is not open; was it passed on to this process?");
        }

        return true;
    }

    // A host may be called systemd.
    private static bool IsPort(string text) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    private static IReadOnlyList<InheritedDescriptor> FromEnvironment()
    {
        try
        {
            return InheritedDescriptors.FromEnvironment(unset: false); // several options may ask
        }
        catch (Exception exception) when (exception is InvalidOperationException or KernelException)
        {
            throw new ToolException($"cannot take over sockets: {exception.Message}");
        }
    }

    private static InheritedDescriptor Require(InheritedDescriptor descriptor, string text)
    {
        if (descriptor.Kind != InheritedDescriptorKind.Listener)
            throw new ToolException($"'{text}': fd {descriptor.FileDescriptor} is no stream socket that listens.");
        // One of another family, such as AF_VSOCK, has an address that is neither.
        return descriptor.LocalEndPoint is IPEndPoint or UnixDomainSocketEndPoint
            ? descriptor
            : throw new ToolException($"'{text}': fd {descriptor.FileDescriptor} is neither a TCP nor a unix socket.");
    }
}
