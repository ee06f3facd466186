namespace Weir.Conformance;

/// <summary>What stands behind a descriptor, as far as the harness treats kinds differently.</summary>
public enum FdKind
{
    Other,
    Epoll,
    EventFd,
    Timer,
    Pipe,
    Unix,
    Tcp,
    Udp,
}

/// <summary>
/// A descriptor by a name of its own: transcripts show the name, since numbers differ from kernel to kernel and from run to run. It goes on
/// standing for its number after that was closed.
/// </summary>
public sealed class Fd
{
    internal Fd(string name, int number, ulong id, FdKind kind)
    {
        Name = name;
        Number = number;
        Id = id;
        Kind = kind;
    }

    /// <summary>What the transcript calls it: a letter for the kind and a count.</summary>
    public string Name { get; }

    /// <summary>The number in the process that made it.</summary>
    public int Number { get; }

    /// <summary>What is registered as data when a program says nothing else; transcripts show it as the name.</summary>
    public ulong Id { get; }

    /// <summary>The kind of file.</summary>
    public FdKind Kind { get; internal set; }

    /// <summary>Where a listener or a bound socket can be reached.</summary>
    internal RawSocketAddress Address;

    // Bytes written are letters in order, so that a reader can be seen to have got the right ones.
    internal int NextLetter { get; set; }

    public override string ToString() => Name;
}

/// <summary>The descriptors that one process has open.</summary>
internal sealed class DescriptorTable
{
    internal DescriptorTable()
    {
    }

    internal DescriptorTable(DescriptorTable parent) => Open = [.. parent.Open];

    internal List<Fd> Open { get; } = [];
}
