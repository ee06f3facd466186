namespace Weir.Simulation;

/// <summary>
/// What goes wrong on purpose, and when: by chance (<see cref="Add(FaultRule)"/>) or by script. In <see cref="SimOptions.Faults"/> it is the plan that each run begins
/// with; in <see cref="Sim.Faults"/> the run's own, which the program may add to as it goes.
/// </summary>
/// <remarks>
/// Random faults do only what a real kernel may do; a script fails calls with whatever it is told to. A script strikes before a call looks at its
/// arguments, and the call then does nothing; only close, told to fail, closes all the same, as it does on Linux.
/// </remarks>
public sealed class SimFaults
{
    internal List<FaultRule> Rules { get; } = [];

    internal List<ScriptedFault> Scripts { get; } = [];

    internal List<Func<FaultCall, Errno>> Deciders { get; } = [];

    /// <summary>Tells the run that it belongs to that something was added.</summary>
    internal Action? Changed { get; set; }

    internal int[] Struck { get; } = new int[Enum.GetValues<SimFault>().Length];

    /// <summary>Has a fault strike at random.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The probability is not between 0 and 1, or the delay is negative.</exception>
    public SimFaults Add(FaultRule rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        if (rule.Probability is not (>= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(rule), rule.Probability, "A probability is between 0 and 1.");
        ArgumentOutOfRangeException.ThrowIfLessThan(rule.Delay, TimeSpan.Zero, nameof(rule));
        Rules.Add(rule);
        return Noted();
    }

    /// <summary>As <see cref="Add(FaultRule)"/>, anywhere it may strike.</summary>
    public SimFaults Add(SimFault fault, double probability) => Add(new FaultRule { Fault = fault, Probability = probability });

    /// <summary>Fails the next calls of a kind with <paramref name="error"/>.</summary>
    /// <param name="call">Which call.</param>
    /// <param name="error">What it returns.</param>
    /// <param name="times">How many fail, one after the other.</param>
    /// <param name="descriptor">Counts only those on this descriptor.</param>
    /// <param name="kernel">Counts only those of this process.</param>
    public SimFaults FailNext(SystemCall call, Errno error, int times = 1, int? descriptor = null, SimKernel? kernel = null)
        => FailNth(call, 1, error, times, descriptor, kernel);

    /// <summary>Lets <paramref name="nth"/> - 1 calls of a kind pass from now on, and fails the next <paramref name="times"/>.</summary>
    public SimFaults FailNth(SystemCall call, int nth, Errno error, int times = 1, int? descriptor = null, SimKernel? kernel = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nth, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        Scripts.Add(new ScriptedFault(call, error, nth - 1, times, descriptor, kernel));
        return Noted();
    }

    /// <summary>
    /// Has <paramref name="decide"/> asked before every call: what it returns is the call's error, <see cref="Errno.None"/> lets it pass. It must make no calls
    /// itself, and depend on nothing but the run.
    /// </summary>
    public SimFaults OnCall(Func<FaultCall, Errno> decide)
    {
        ArgumentNullException.ThrowIfNull(decide);
        Deciders.Add(decide);
        return Noted();
    }

    /// <summary>Nothing goes wrong from here on. What is held back still arrives later.</summary>
    public void Clear()
    {
        Rules.Clear();
        Scripts.Clear();
        Deciders.Clear();
        Noted();
    }

    /// <summary>
    /// Holds back for <paramref name="time"/> what has arrived or will at a socket or pipe: its readers find nothing, and nobody is told before the time is over.
    /// A simulated thread only.
    /// </summary>
    /// <exception cref="ArgumentException">The descriptor is not open, or cannot be polled.</exception>
    public static void Stall(SimKernel kernel, int descriptor, TimeSpan time)
        => kernel.World.Faults.Hold(Find(kernel, descriptor), Faults.Arrivals, EventLoop.ToNanoseconds(time));

    /// <summary>Resets the connection of a stream socket, as when its peer dies. A simulated thread only. False: it has none.</summary>
    /// <exception cref="ArgumentException">The descriptor is not open, or cannot be polled.</exception>
    public static bool Reset(SimKernel kernel, int descriptor) => Find(kernel, descriptor) is SimSocket socket && socket.TryReset();

    /// <summary>How often a random fault has struck in this run.</summary>
    public int Count(SimFault fault) => Struck[(int)fault];

    private static SimFile Find(SimKernel kernel, int descriptor)
        => kernel.Descriptors.Find(descriptor) is { CanPoll: true } file
            ? file
            : throw new ArgumentException($"Descriptor {descriptor} of {kernel.ProcessName} is not open, or cannot be polled.", nameof(descriptor));

    private SimFaults Noted()
    {
        Changed?.Invoke();
        return this;
    }

    /// <summary>The same plan for one run: what a run counts down is its own.</summary>
    internal SimFaults Copy()
    {
        var copy = new SimFaults();
        copy.Rules.AddRange(Rules);
        copy.Scripts.AddRange(Scripts.Select(script => script.Copy()));
        copy.Deciders.AddRange(Deciders);
        return copy;
    }
}
