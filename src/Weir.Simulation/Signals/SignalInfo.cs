namespace Weir.Simulation;

/// <summary>What is known of a signal: siginfo_t.</summary>
internal readonly record struct SignalInfo(int Signal, int Code, int Process, int Status = 0, int Value = 0)
{
    /// <summary>SI_USER: kill(2).</summary>
    internal const int FromUser = 0;

    /// <summary>SI_TKILL: sent to one thread.</summary>
    internal const int FromThread = -6;

    /// <summary>SI_QUEUE: sent with a value.</summary>
    internal const int FromQueue = -1;

    /// <summary>CLD_EXITED and CLD_KILLED.</summary>
    internal const int ChildExited = 1;

    internal const int ChildKilled = 2;
}
