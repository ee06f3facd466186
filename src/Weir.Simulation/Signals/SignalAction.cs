namespace Weir.Simulation;

internal enum SignalDisposition : byte
{
    Default,
    Ignored,
    Handled,
}

/// <summary>What a process does about a signal: struct sigaction.</summary>
/// <param name="Disposition">Which of the three.</param>
/// <param name="Handler">Runs on the thread that takes the signal; null: does nothing.</param>
/// <param name="Restart">SA_RESTART: calls that can be started again are not interrupted.</param>
internal readonly record struct SignalAction(SignalDisposition Disposition, Action? Handler = null, bool Restart = false);

/// <summary>What delivering signals to a thread has come to.</summary>
internal enum SignalOutcome
{
    /// <summary>No handler has run: a call that was waiting goes on waiting.</summary>
    Nothing,

    /// <summary>Handlers have run, all of them with SA_RESTART.</summary>
    Restart,

    /// <summary>A handler has run without SA_RESTART.</summary>
    Interrupt,
}
