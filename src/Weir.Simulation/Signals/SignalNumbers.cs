namespace Weir.Simulation;

/// <summary>Signals by number, and what the kernel does with those that nobody has a handler for: include/linux/signal.h.</summary>
internal static class SignalNumbers
{
    internal const int Most = 64;
    internal const int FirstRealTime = 32;

    internal const int Quit = 3;
    internal const int Kill = 9;
    internal const int Pipe = 13;
    internal const int Child = 17;
    internal const int Continue = 18;
    internal const int Stop = 19;

    private const int Urgent = 23;
    private const int WindowChange = 28;
    private const int TerminalStop = 20, TerminalIn = 21, TerminalOut = 22;

    /// <summary>All but SIGKILL and SIGSTOP.</summary>
    internal const ulong Blockable = ~(1ul << (Kill - 1) | 1ul << (Stop - 1));

    /// <summary>By default nothing happens.</summary>
    internal const ulong IgnoredByDefault = 1ul << (Child - 1) | 1ul << (Continue - 1) | 1ul << (Urgent - 1) | 1ul << (WindowChange - 1);

    /// <summary>By default the process stops.</summary>
    internal const ulong StoppedByDefault = 1ul << (Stop - 1) | 1ul << (TerminalStop - 1) | 1ul << (TerminalIn - 1) | 1ul << (TerminalOut - 1);

    internal static ulong Bit(int signal) => 1ul << (signal - 1);

    internal static bool IsValid(int signal) => signal is >= 1 and <= Most;
}
