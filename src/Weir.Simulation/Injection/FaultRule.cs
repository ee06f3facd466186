namespace Weir.Simulation;

/// <summary>A fault that strikes at random, and where it may.</summary>
public sealed class FaultRule
{
    /// <summary>What happens.</summary>
    public required SimFault Fault { get; init; }

    /// <summary>How likely, at each place where it may strike: 0 to 1.</summary>
    public required double Probability { get; init; }

    /// <summary>Only in this call. Null: in all that the fault is for.</summary>
    public SystemCall? Call { get; init; }

    /// <summary>Only in the process of this name (<see cref="SimKernel.ProcessName"/>).</summary>
    public string? Process { get; init; }

    /// <summary>Only on the machine of this name.</summary>
    public string? Machine { get; init; }

    /// <summary>Only on files whose kind, as findings show it, begins so: "tcp", "unix", "pipe".</summary>
    public string? FileKind { get; init; }

    /// <summary>Only on this descriptor number.</summary>
    public int? Descriptor { get; init; }

    /// <summary>The longest time that things are held back for. Defaults to 10 ms of virtual time.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>How often it strikes at most. Defaults to no limit.</summary>
    public int Most { get; init; } = int.MaxValue;
}
