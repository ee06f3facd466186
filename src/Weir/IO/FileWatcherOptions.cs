namespace Weir;

/// <summary>How a <see cref="FileWatcher"/> watches.</summary>
public sealed class FileWatcherOptions
{
    /// <summary>Watches the directories below as well, those that are made later included. Defaults to false.</summary>
    public bool Recursive { get; set; }

    /// <summary>Whether <see cref="FileChangeKind.Modified"/> is reported. Defaults to true.</summary>
    public bool Modified { get; set; } = true;

    /// <summary>Whether <see cref="FileChangeKind.Attributes"/> is reported. Defaults to true.</summary>
    public bool Attributes { get; set; } = true;

    /// <summary>Whether <see cref="FileChangeKind.CloseWrite"/> is reported. Defaults to true.</summary>
    public bool CloseWrite { get; set; } = true;

    /// <summary>
    /// How long the first half of a move waits for the second, if the kernel does not show earlier that there is none. The two are queued one
    /// right after the other, so this is time for a thread that was stopped between them. Defaults to 10 ms.
    /// </summary>
    public TimeSpan MoveTimeout { get; set; } = TimeSpan.FromMilliseconds(10);
}
