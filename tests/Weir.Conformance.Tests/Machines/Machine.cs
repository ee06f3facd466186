namespace Weir.Conformance;

/// <summary>
/// A kernel with threads, signals, processes and time: what a conformance program is written against. Each call that a program makes
/// becomes a line of its transcript, with descriptors by name, so that two kernels are compared as texts.
/// </summary>
/// <remarks>One object runs one program, on <see cref="Run"/>'s behalf, and is of no use afterwards.</remarks>
public abstract unsafe partial class Machine
{
    /// <summary>As a timeout: for ever.</summary>
    public const int Forever = -1;

    /// <summary>How long (real time) a program may take before it counts as hanging.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [ThreadStatic]
    private static MachineThread? CurrentOnThread;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _counts = [];
    private readonly HashSet<string> _names = [];
    private readonly Dictionary<ulong, Fd> _byData = [];
    private readonly List<MachineThread> _threads = [];
    private readonly List<Action> _cleanUps = [];
    private MachineThread? _main;

    /// <summary>The name in messages.</summary>
    public abstract string Name { get; }

    /// <summary>The door of the process that the calling thread belongs to.</summary>
    public abstract Kernel Kernel { get; }

    /// <summary>Bytes of a page of memory, which is what a pipe counts in.</summary>
    public abstract int PageSize { get; }

    /// <summary>The thread of the program that calls.</summary>
    public static MachineThread Current => CurrentOnThread ?? throw new InvalidOperationException("This thread is none of a program's.");

    /// <summary>The threads that the program has started.</summary>
    private protected IReadOnlyList<MachineThread> Threads
    {
        get
        {
            lock (_lock)
                return [.. _threads];
        }
    }

    // Running

    /// <summary>Runs a program to its end and closes what it left open.</summary>
    public Transcript Run(Action<Machine> program)
    {
        _main = CreateThread("main", new DescriptorTable());
        Exception? failure = null;
        try
        {
            Execute(_main, () => Body(_main, () => program(this)));
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        failure ??= _main.Failure?.SourceException;
        if (failure == null && _threads.FirstOrDefault(thread => !thread.IsJoined) is { } forgotten)
            failure = new InvalidOperationException($"The program ended without joining '{forgotten}'.");
        ReleaseThreads(_threads);
        List<string> lines = [.. _main.Lines];
        // After a failure, what the others did is of interest; else they have been joined.
        foreach (MachineThread thread in _threads.Where(thread => !thread.IsJoined))
            lines.AddRange(thread.Lines.Select(line => $"{thread}, not joined: {line}"));
        Release(_main.Table);
        return new Transcript(Name, lines, failure);
    }

    private static void Body(MachineThread thread, Action body)
    {
        CurrentOnThread = thread;
        try
        {
            thread.Run(body);
        }
        finally
        {
            CurrentOnThread = null;
        }
    }

    private void Release(DescriptorTable table)
    {
        ReleaseDescriptors(table.Open);
        foreach (Action cleanUp in _cleanUps)
            cleanUp();
    }

    /// <summary>Does something when the program has ended, after its descriptors were closed.</summary>
    protected void AtEnd(Action cleanUp)
    {
        lock (_lock)
            _cleanUps.Add(cleanUp);
    }

    /// <summary>A thread that has not begun.</summary>
    private protected abstract MachineThread CreateThread(string name, DescriptorTable table);

    /// <summary>
    /// Runs the program's main thread, and returns when it has ended. Throws if it does not, or if something else explains better how it ended.
    /// </summary>
    protected abstract void Execute(MachineThread main, Action body);

    /// <summary>Lets threads end that a failed program has left behind.</summary>
    protected abstract void ReleaseThreads(IReadOnlyList<MachineThread> threads);

    /// <summary>Closes what the program has left open.</summary>
    protected abstract void ReleaseDescriptors(IReadOnlyList<Fd> descriptors);

    // The transcript

    /// <summary>Adds a line of the program's own.</summary>
    public void Note(string line) => Current.Lines.Add(line);

    /// <summary>Adds a line that says whether something holds, and fails the program if it does not.</summary>
    public void Expect(bool condition, string statement)
    {
        Note($"{statement}: {(condition ? "yes" : "no")}");
        if (!condition)
            Fail($"not so: {statement}");
    }

    /// <summary>Ends the program.</summary>
    internal void Fail(string message) => Assert.Fail(message);

    /// <summary>Adds a line for a call that no other method makes, and gives its result a way to be judged.</summary>
    public Outcome Call(string call, long result)
    {
        Note($"{call} = {Outcome.Show(result)}");
        return new Outcome(this, call, result);
    }

    internal string Show(WaitOutcome wait) => wait.Value < 0 ? Outcome.Show(wait.Value) : Show(((Ready[])wait.Events).AsSpan());

    internal string Show(ReadOnlySpan<Ready> events)
    {
        List<string> shown = [];
        foreach (Ready ready in events)
            shown.Add($"{ShowData(ready.Data)}: {Masks.Show(ready.Events)}");
        return $"[{string.Join(", ", shown)}]";
    }

    private string ShowData(ulong data)
    {
        lock (_lock)
            return _byData.TryGetValue(data, out Fd? fd) ? fd.Name : $"data {data}";
    }

    // Descriptors

    /// <summary>
    /// Takes in a descriptor that a call has just made. May give it another number, so that what a program closes stays closed
    /// although others in the process open files.
    /// </summary>
    protected abstract int Adopt(int number);

    /// <summary>A name of a kind that no other descriptor has.</summary>
    private string NewName(string kind)
    {
        lock (_lock)
        {
            int count = _counts[kind] = _counts.GetValueOrDefault(kind) + 1;
            return kind + count;
        }
    }

    private Fd Keep(string name, int number, FdKind kind)
    {
        int own = number < 0 ? number : Adopt(number);
        if (own < 0)
            Fail($"{name}: no descriptor: {Outcome.Show(own)}");
        return Enter(name, own, kind);
    }

    // A descriptor whose number is settled.
    private Fd Enter(string name, int number, FdKind kind)
    {
        lock (_lock)
        {
            while (!_names.Add(name))
                name += "'";
            // Data of their own are small numbers by custom; names begin far above them.
            Fd fd = new(name, number, 1_000_000 + (ulong)_byData.Count, kind);
            _byData.Add(fd.Id, fd);
            Current.Table.Open.Add(fd);
            return fd;
        }
    }

    /// <summary>The descriptors of one kind that the calling process has open.</summary>
    protected Fd[] OpenDescriptors(FdKind kind)
    {
        lock (_lock)
            return [.. Current.Table.Open.Where(fd => fd.Kind == kind)];
    }

    /// <summary>Whether the calling process has it open.</summary>
    public bool IsOpen(Fd fd)
    {
        lock (_lock)
            return Current.Table.Open.Contains(fd);
    }

    private void Forget(Fd fd)
    {
        lock (_lock)
            Current.Table.Open.Remove(fd);
    }

    private void Remember(Fd fd)
    {
        lock (_lock)
        {
            if (!Current.Table.Open.Contains(fd))
                Current.Table.Open.Add(fd);
        }
    }
}
