using System.Collections.Frozen;
using System.Reflection;

namespace Weir.Tests;

/// <summary>
/// A kernel that forwards every call to another, counts it, and fails it when told to. What a test asserts about the number of
/// system calls it asserts through this, for the door is the only way out.
/// </summary>
/// <remarks>
/// Any thread may use all of it. Counting allocates nothing, so that allocation can be measured through it. Clocks cannot be made to
/// fail, since no caller checks for it.
/// Derive from it to change what single calls do; <see cref="OnCall"/> runs before each.
/// </remarks>
public unsafe partial class CountingKernel : Kernel
{
    private readonly FrozenDictionary<string, Cell> _cells;

    /// <summary>Counts in front of <paramref name="inner"/>. Defaults to <see cref="Kernel.Linux"/>.</summary>
    public CountingKernel(Kernel? inner = null)
    {
        Inner = inner ?? Linux;
        _cells = CallNames.ToFrozenDictionary(name => name, _ => new Cell());
    }

    /// <summary>The names of all system calls of the door.</summary>
    public static IReadOnlyList<string> CallNames { get; } = typeof(Kernel)
        .GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
        .Where(method => method.IsAbstract && !method.IsSpecialName)
        .Select(method => method.Name)
        .ToArray();

    /// <summary>The kernel that does the work.</summary>
    protected Kernel Inner { get; }

    public override string Name => Inner.Name;

    public override bool SchedulesThreads => Inner.SchedulesThreads;

    /// <summary>How often a call was made, refused ones included: <c>Count(nameof(Kernel.EpollCtl))</c>.</summary>
    public long Count(string call) => Interlocked.Read(ref Find(call).Calls);

    /// <summary>How many calls of all kinds were made; reading the monotonic clock is none, for it does not enter the kernel.</summary>
    public long Total => CallNames.Where(name => name != nameof(ClockGetTime)).Sum(Count);

    /// <summary>Sets every count to zero; failures still to come stay.</summary>
    public void Reset()
    {
        foreach (Cell cell in _cells.Values)
            Interlocked.Exchange(ref cell.Calls, 0);
    }

    /// <summary>
    /// Makes the next <paramref name="times"/> calls return <paramref name="errno"/> without reaching the kernel. Failures asked for
    /// one after another happen one after another.
    /// </summary>
    public void FailNext(string call, Errno errno, int times = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(times);
        if (call == nameof(ClockGetTime))
            throw new ArgumentException("No caller checks whether a clock can be read.", nameof(call));
        Cell cell = Find(call);
        lock (cell)
        {
            for (int i = 0; i < times; i++)
                cell.Failures.Enqueue(errno);
            Volatile.Write(ref cell.FailuresLeft, cell.Failures.Count); // read without the lock by every call
        }
    }

    /// <summary>As <see cref="FailNext"/>, for the call with the number <paramref name="which"/> from now on, 1 being the next.</summary>
    public void FailAt(string call, int which, Errno errno)
    {
        FailNext(call, Errno.None, which - 1); // let through
        FailNext(call, errno);
    }

    /// <summary>Runs on the calling thread before each call; does nothing here.</summary>
    protected virtual void OnCall(string call)
    {
    }

    private Cell Find(string call) => _cells.TryGetValue(call, out Cell? cell)
        ? cell
        : throw new ArgumentException($"The door has no call '{call}'; use nameof(Kernel.…).", nameof(call));

    private bool Refuses(string call, out int error)
    {
        OnCall(call);
        Cell cell = _cells[call];
        Interlocked.Increment(ref cell.Calls); // calls come from several threads
        error = 0;
        if (Volatile.Read(ref cell.FailuresLeft) == 0) // the usual case takes no lock
            return false;
        lock (cell)
        {
            if (!cell.Failures.TryDequeue(out Errno errno))
                return false;
            cell.FailuresLeft = cell.Failures.Count;
            if (errno == Errno.None)
                return false;
            error = -(int)errno;
            return true;
        }
    }

    private sealed class Cell
    {
        internal long Calls;
        internal int FailuresLeft;
        internal readonly Queue<Errno> Failures = new();
    }
}
