namespace Weir;

/// <summary>How a process ended: what waitid(2) tells of it.</summary>
public readonly record struct ExitStatus
{
    private const int Exited = 1, Killed = 2, Dumped = 3; // CLD_EXITED, CLD_KILLED, CLD_DUMPED

    private readonly int _code;
    private readonly int _status;

    private ExitStatus(int code, int status)
    {
        _code = code;
        _status = status;
    }

    /// <summary>
    /// It has ended, and how is not known: it is no child of this process, or something else took note of its end first (SIGCHLD is ignored;
    /// a wait for any child).
    /// </summary>
    public static ExitStatus Unknown => default;

    /// <summary>Whether it is known how it ended.</summary>
    public bool IsKnown => _code != 0;

    /// <summary>What it exited with, 0 to 255; null if a signal ended it, or if that is not known.</summary>
    public int? ExitCode => _code == Exited ? _status : null;

    /// <summary>The number of the signal that ended it (signal(7)); null if it exited, or if that is not known.</summary>
    public int? Signal => _code is Killed or Dumped ? _status : null;

    /// <summary>Whether the signal that ended it left a core dump.</summary>
    public bool DumpedCore => _code == Dumped;

    /// <summary>Whether it exited with 0.</summary>
    public bool IsSuccess => ExitCode == 0;

    internal static ExitStatus From(in ChildStatus status) => new(status.Code, status.Status);

    /// <summary>"exit code 1", "signal 9", "unknown".</summary>
    public override string ToString() => _code switch
    {
        0 => "unknown",
        Exited => $"exit code {_status}",
        Dumped => $"signal {_status} (core dumped)",
        _ => $"signal {_status}",
    };
}
