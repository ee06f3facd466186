namespace Weir;

/// <summary>What a child has as one of its standard descriptors.</summary>
public readonly struct ChildStream
{
    private ChildStream(ChildStreamKind kind, int fileDescriptor = -1, ChildProcess? source = null)
    {
        Kind = kind;
        FileDescriptor = fileDescriptor;
        Source = source;
    }

    /// <summary>This process's own. The default.</summary>
    public static ChildStream Inherit => default;

    /// <summary>/dev/null: nothing to read, and what is written is dropped.</summary>
    public static ChildStream Null => new(ChildStreamKind.Null);

    /// <summary>A pipe, whose other end is a stream on the loop.</summary>
    public static ChildStream Pipe => new(ChildStreamKind.Pipe);

    /// <summary>For the standard error: whatever the standard output is.</summary>
    public static ChildStream SameAsOutput => new(ChildStreamKind.SameAsOutput);

    /// <summary>A descriptor, which stays the caller's own; the child gets a duplicate.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public static ChildStream FromDescriptor(int fileDescriptor)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fileDescriptor);
        return new ChildStream(ChildStreamKind.Descriptor, fileDescriptor);
    }

    /// <summary>
    /// For the standard input: what another child writes, which was started with a <see cref="Pipe"/> as its standard output. That child's
    /// <see cref="ChildProcess.StandardOutput"/> is given away by this once the other runs: the two are joined in the kernel, as a shell's pipeline is.
    /// </summary>
    public static ChildStream OutputOf(ChildProcess child)
    {
        ArgumentNullException.ThrowIfNull(child);
        return new ChildStream(ChildStreamKind.OutputOf, source: child);
    }

    internal ChildStreamKind Kind { get; }

    internal ChildProcess? Source { get; }

    internal int FileDescriptor { get; }
}

internal enum ChildStreamKind : byte
{
    Inherit,
    Null,
    Pipe,
    SameAsOutput,
    Descriptor,
    OutputOf,
}
