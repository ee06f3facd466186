namespace Weir;

/// <summary>
/// A second operation was started in a direction that already has one in progress. The first is untouched. One reader and one
/// writer at a time: who needs more gives each its own descriptor or takes turns.
/// </summary>
public sealed class BusyResourceException : InvalidOperationException
{
    /// <summary>With a sentence saying who is busy with what.</summary>
    public BusyResourceException(string message)
        : base(message)
    {
    }
}
