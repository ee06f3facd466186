namespace Weir.Bench.Parts;

/// <summary>An echo server that can be started: a name for the tables, and how.</summary>
/// <param name="Name">What the tables call it.</param>
/// <param name="Command">The command line for a port and a buffer size.</param>
/// <param name="Environment">Variables set for it, where it needs any.</param>
internal sealed record Peer(
    string Name,
    Func<int, int, IReadOnlyList<string>> Command,
    IReadOnlyDictionary<string, string>? Environment = null)
{
    public static Peer C { get; } = new("c-epoll", EpollCommand);

    /// <summary>The same program a second time: what differs between the two is noise.</summary>
    public static Peer CAgain { get; } = new("c-epoll again", EpollCommand);

    public static Peer CWithBudget { get; } = new("c-epoll budget 8", (port, buffer) => [.. EpollCommand(port, buffer), "8"]);

    public static Peer CUring { get; } =
        new("c-uring", (port, buffer) => [Output.Find("peers", "c-uring"), $"{port}", $"{buffer}"]);

    public static Peer Libuv { get; } =
        new("libuv", (port, buffer) => [Output.Find("peers", "libuv"), $"{port}", $"{buffer}"]);

    public static Peer Sockets { get; } = new("sockets", SocketsCommand);

    public static Peer SocketsInline { get; } = new(
        "sockets inline",
        SocketsCommand,
        new Dictionary<string, string> { ["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1" });

    /// <summary>A server of the user's own, from NAME=COMMAND, with {port} and {buffer} in the command.</summary>
    public static Peer Parse(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0 || !text.Contains("{port}", StringComparison.Ordinal))
        {
            throw new BenchException($"--peer is NAME=COMMAND with {{port}} in the command, not '{text}'");
        }

        string[] words = text[(equals + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return new Peer(
            text[..equals],
            (port, buffer) => [.. words.Select(word => word.Replace("{port}", $"{port}").Replace("{buffer}", $"{buffer}"))]);
    }

    private static IReadOnlyList<string> EpollCommand(int port, int buffer) =>
        [Output.Find("peers", "c-epoll"), $"{port}", $"{buffer}"];

    private static IReadOnlyList<string> SocketsCommand(int port, int buffer) =>
        ["dotnet", Output.Find("dotnet-sockets", "dotnet-sockets.dll"), $"{port}", $"{buffer}"];
}
