namespace ReplicatedStore;

/// <summary>Collects the answers to one request until enough replicas have given theirs, and keeps the newest.</summary>
/// <param name="needed">How many are enough.</param>
internal sealed class Quorum(int needed)
{
    // Without RunContinuationsAsynchronously, which would have WaitAsync go on on the thread pool.
    private readonly TaskCompletionSource<Versioned> _reached = new();
    private Versioned _newest;
    private int _answers;

    /// <summary>The newest of what they hold.</summary>
    public Task<Versioned> Reached => _reached.Task;

    public void Add(Versioned held)
    {
        if (held.IsNewerThan(_newest))
            _newest = held;
        if (++_answers == needed)
            _reached.SetResult(_newest);
    }
}
