namespace Weir.Conformance;

/// <summary>What a call returned, and a way to say what it must have been.</summary>
public readonly struct Outcome
{
    private readonly Machine _machine;
    private readonly string _call;

    internal Outcome(Machine machine, string call, long value)
    {
        _machine = machine;
        _call = call;
        Value = value;
    }

    /// <summary>The result of the door: negative for an error.</summary>
    public long Value { get; }

    /// <summary>Fails the program if the result is another.</summary>
    public Outcome Is(long expected)
    {
        if (Value != expected)
            _machine.Fail($"{_call} gave {Show(Value)} and not {Show(expected)}");
        return this;
    }

    /// <inheritdoc cref="Is(long)"/>
    public Outcome Is(int expected) => Is((long)expected); // or a literal 0 could as well be an error

    /// <summary>Fails the program if the call did not fail so.</summary>
    public Outcome Is(Errno expected) => Is(-(long)expected);

    internal static string Show(long value) => value < 0 ? ((Errno)(-value)).ToString() : value.ToString();
}

/// <summary>What was read from a counter: the value, or an error.</summary>
public readonly struct CountOutcome
{
    private readonly Machine _machine;
    private readonly string _call;

    internal CountOutcome(Machine machine, string call, long result, ulong count)
    {
        _machine = machine;
        _call = call;
        Result = result;
        Count = count;
    }

    /// <summary>The result of the door: 8, or negative for an error.</summary>
    public long Result { get; }

    /// <summary>The value; 0 if there was an error.</summary>
    public ulong Count { get; }

    /// <summary>Fails the program if another value, or none, was read.</summary>
    public CountOutcome Is(ulong expected)
    {
        if (Result != 8 || Count != expected)
            _machine.Fail($"{_call} gave {Show(Result, Count)} and not {expected}");
        return this;
    }

    /// <inheritdoc cref="Is(ulong)"/>
    public CountOutcome Is(int expected) => Is((ulong)expected);

    /// <summary>Fails the program if the read did not fail so.</summary>
    public CountOutcome Is(Errno expected)
    {
        if (Result != -(long)expected)
            _machine.Fail($"{_call} gave {Show(Result, Count)} and not {expected}");
        return this;
    }

    internal static string Show(long result, ulong count) => result == 8 ? $"value {count}" : Outcome.Show(result);
}

/// <summary>What poll(2) found on one descriptor.</summary>
public readonly struct PollOutcome
{
    private readonly Machine _machine;
    private readonly string _call;

    internal PollOutcome(Machine machine, string call, int result, EpollEvents events)
    {
        _machine = machine;
        _call = call;
        Result = result;
        Events = events;
    }

    /// <summary>The result of the door: 0 or 1, or negative for an error.</summary>
    public int Result { get; }

    /// <summary>The readiness that was found.</summary>
    public EpollEvents Events { get; }

    /// <summary>Fails the program if the readiness is another.</summary>
    public PollOutcome Is(EpollEvents expected)
    {
        if (Result < 0 || Events != expected)
            _machine.Fail($"{_call} gave {(Result < 0 ? Outcome.Show(Result) : Masks.Show(Events))} and not {Masks.Show(expected)}");
        return this;
    }
}
