namespace Weir;

/// <summary>The end of a process as tasks. Any thread may look; the loop's thread completes it.</summary>
internal sealed class ExitPromise
{
    // Who waits on the loop is resumed on it at once. Who waits elsewhere must not run there.
    private readonly TaskCompletionSource<ExitStatus> _onLoop = new();
    private readonly TaskCompletionSource<ExitStatus> _elsewhere = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How it ended; null: it has not, as far as is known.</summary>
    internal ExitStatus? Status => _onLoop.Task.IsCompletedSuccessfully ? _onLoop.Task.Result : null;

    internal Task<ExitStatus> Task(bool onLoop) => (onLoop ? _onLoop : _elsewhere).Task;

    internal void Complete(ExitStatus status)
    {
        _onLoop.TrySetResult(status);
        _elsewhere.TrySetResult(status);
    }

    internal void Fail(Exception exception)
    {
        _onLoop.TrySetException(exception);
        _elsewhere.TrySetException(exception);
        // Seen: nobody may ever have asked.
        _ = _onLoop.Task.Exception;
        _ = _elsewhere.Task.Exception;
    }
}
