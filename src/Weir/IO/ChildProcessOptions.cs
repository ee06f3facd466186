namespace Weir;

/// <summary>A program to start: see <see cref="ChildProcess.Start(ChildProcessOptions)"/>.</summary>
public sealed class ChildProcessOptions
{
    /// <summary>Options for a program and its arguments.</summary>
    /// <param name="fileName">As <see cref="FileName"/>.</param>
    /// <param name="arguments">As <see cref="Arguments"/>.</param>
    public ChildProcessOptions(string fileName, params IReadOnlyList<string> arguments)
    {
        ArgumentException.ThrowIfNullOrEmpty(fileName);
        ArgumentNullException.ThrowIfNull(arguments);
        FileName = fileName;
        Arguments = arguments;
    }

    /// <summary>
    /// The program: a path, which begins at this process's working directory if it is relative, or a name without a slash, which is looked
    /// for in the directories of this process's PATH.
    /// </summary>
    public string FileName { get; }

    /// <summary>Its arguments, without its own name. No shell comes between: they arrive as they are.</summary>
    public IReadOnlyList<string> Arguments { get; }

    /// <summary>Variables to set in its environment, or with null to leave out. Defaults to none.</summary>
    public IDictionary<string, string?> Environment { get; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    /// <summary>Whether it gets this process's environment, changed by <see cref="Environment"/>. Defaults to true.</summary>
    public bool InheritEnvironment { get; set; } = true;

    /// <summary>The directory it starts in. Defaults to this process's own.</summary>
    public string? WorkingDirectory { get; set; }

    /// <summary>Its descriptor 0. Defaults to this process's own.</summary>
    public ChildStream StandardInput { get; set; }

    /// <summary>Its descriptor 1. Defaults to this process's own.</summary>
    public ChildStream StandardOutput { get; set; }

    /// <summary>Its descriptor 2. Defaults to this process's own.</summary>
    public ChildStream StandardError { get; set; }

    /// <summary>
    /// Whether it leads a process group of its own: Ctrl+C at the terminal does not reach it, and it may not read from the terminal. Defaults
    /// to false.
    /// </summary>
    public bool NewProcessGroup { get; set; }
}
