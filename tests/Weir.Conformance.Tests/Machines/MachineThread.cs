using System.Runtime.ExceptionServices;

namespace Weir.Conformance;

/// <summary>
/// A thread of a program, with its own part of the transcript: that becomes part of the whole when the thread is joined, so the order of
/// lines does not depend on who ran when.
/// </summary>
public abstract class MachineThread
{
    private volatile bool _hasEnded;

    private protected MachineThread(string name, DescriptorTable table)
    {
        Name = name;
        Table = table;
    }

    /// <summary>The name in the transcript.</summary>
    public string Name { get; }

    /// <summary>Whether the body has returned or thrown.</summary>
    public bool HasEnded => _hasEnded;

    internal DescriptorTable Table { get; }

    internal List<string> Lines { get; } = [];

    internal ExceptionDispatchInfo? Failure { get; private set; }

    internal bool IsJoined { get; set; }

    internal void Run(Action body)
    {
        try
        {
            body();
        }
        catch (Exception exception)
        {
            Failure = ExceptionDispatchInfo.Capture(exception);
        }

        _hasEnded = true;
    }

    public override string ToString() => Name;
}
