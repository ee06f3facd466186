using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Weir.Conformance;

/// <summary>A real thread, and what the kernel tells about it in /proc.</summary>
internal sealed class LinuxThread(string name, DescriptorTable table) : MachineThread(name, table)
{
    // epoll_wait, epoll_pwait, epoll_pwait2, poll, ppoll, io_uring_enter, waitid
    private static readonly string[] Waits = RuntimeInformation.ProcessArchitecture == Architecture.X64
        ? ["232", "281", "441", "7", "271", "426", "247"]
        : ["22", "441", "73", "426", "95"];

    private readonly TaskCompletionSource _started = new();
    private Thread? _thread;
    private int _id;
    private nint _handle;
    private bool _ownDescriptors;

    /// <summary>Starts it; returns when it runs.</summary>
    internal void Start(Action body, bool ownDescriptors)
    {
        _ownDescriptors = ownDescriptors;
        _thread = new Thread(() =>
        {
            _id = Native.gettid();
            _handle = Native.pthread_self();
            // A table of descriptors of its own is what makes a thread like a forked process here; a real fork would leave the child
            // without the runtime's other threads. The copy holds open whatever anybody in this process has open: for tests that run alone.
            int result = ownDescriptors ? Native.Result(Native.unshare(Native.CloneFiles)) : 0;
            _started.SetResult();
            if (result < 0)
                Run(() => throw new InvalidOperationException($"unshare: {Outcome.Show(result)}"));
            else
                body();
        })
        { IsBackground = true, Name = Name };
        _thread.Start();
        _started.Task.Wait();
    }

    /// <summary>Whether it sleeps in one of the calls that wait for readiness, and nobody has woken it.</summary>
    internal bool IsBlocked => Rest != null;

    /// <summary>How often it has slept, if it is blocked; null otherwise.</summary>
    /// <remarks>
    /// The call alone does not tell: a thread that another processor has yet to set going (TASK_WAKING, until its interrupt has come through)
    /// counts there as asleep; by its state it runs.
    /// </remarks>
    internal string? Rest
    {
        get
        {
            // "running", or the number of the call in which the thread sleeps and its arguments.
            string call = ReadAbout("syscall");
            int end = call.IndexOf(' ');
            if (end <= 0 || !Waits.Contains(call[..end]))
                return null;
            string[] status = ReadAbout("status").Split('\n');
            return status.Contains("State:\tS (sleeping)")
                ? status.FirstOrDefault(line => line.StartsWith("voluntary", StringComparison.Ordinal))
                : null;
        }
    }

    private string ReadAbout(string file)
    {
        try
        {
            return File.ReadAllText($"/proc/self/task/{_id}/{file}");
        }
        catch (IOException) // it has ended meanwhile
        {
            return "";
        }
    }

    internal void Send(Signal signal) => Native.pthread_kill(_handle, (int)signal);

    /// <summary>Waits for the end; one with descriptors of its own has ended when they are closed.</summary>
    internal bool Join(TimeSpan limit)
    {
        if (_thread == null)
            return true;
        if (!_thread.Join(limit))
            return false;
        // The runtime counts a thread as ended before the kernel does.
        long start = Stopwatch.GetTimestamp();
        while (_ownDescriptors && Directory.Exists($"/proc/self/task/{_id}"))
        {
            if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(10))
                return false;
            Thread.Yield();
        }

        return true;
    }
}

/// <summary>The process-wide part of signals: who handles them.</summary>
internal static class LinuxSignals
{
    private static readonly Lazy<bool> Prepared = new(() =>
    {
        const nint ignore = 1;
        // signal(3) installs with SA_RESTART.
        Native.signal((int)Signal.Handled, Native.HarmlessHandler);
        Native.signal((int)Signal.Standard, Native.HarmlessHandler);
        Native.signal((int)Signal.Ignored, ignore);
        return true;
    });

    internal static void Prepare() => _ = Prepared.Value;
}

/// <summary>
/// Descriptor numbers that nobody else in the process gets: the kernel hands out the lowest free one, and these are far above. Those that a
/// program has closed are not given out again before it has ended.
/// </summary>
internal static class PrivateNumbers
{
    private const int First = 600;

    private static readonly Lock Lock = new();
    private static readonly SortedSet<int> Free = [];
    private static int s_next = First;

    /// <summary>Gives a descriptor a number of its own.</summary>
    internal static int Move(Kernel kernel, int fd)
    {
        while (true)
        {
            int wanted = Take();
            int moved = kernel.Fcntl(fd, FcntlCommand.DupCloseOnExec, wanted);
            if (moved == wanted || moved < 0)
            {
                kernel.Close(fd);
                Assert.True(moved >= 0, $"No descriptor number {wanted}: {Outcome.Show(moved)}");
                return moved;
            }

            kernel.Close(moved); // somebody has the wanted number after all; it is not offered again
        }
    }

    private static int Take()
    {
        lock (Lock)
        {
            if (Free.Count == 0)
                return s_next++;
            int number = Free.Min;
            Free.Remove(number);
            return number;
        }
    }

    internal static void Return(List<int> numbers)
    {
        lock (Lock)
            Free.UnionWith(numbers);
        numbers.Clear();
    }
}
