namespace Weir.Simulation;

/// <summary>
/// All that happened in a run, in order: system calls, wakes, what epoll queued and delivered, and how the readiness of each descriptor changed.
/// Given to <see cref="SimOptions.Trace"/>; read after the run.
/// </summary>
/// <remarks>Holds the last run that it was given to. Not to be read while that goes on. A step takes about 100 bytes.</remarks>
public sealed partial class SimTrace
{
    private readonly List<Entry> _entries = [];
    private readonly Dictionary<(int Process, int Fd), Known> _known = [];
    private readonly List<(int Process, int Fd)> _gone = [];
    private World? _world;

    private enum EntryKind : byte
    {
        Entered,
        Returned,
        Woke,
        Queued,
        Delivered,
        Note,

        /// <summary>The readiness of a descriptor has changed.</summary>
        Readiness,

        /// <summary>A descriptor is closed or refers to something else.</summary>
        Gone,
    }

    /// <summary>Number of entries.</summary>
    public int Count => _entries.Count;

    // What is behind a descriptor may be gone when the trace is read: names are taken at once.
    private readonly record struct Entry(EntryKind Kind, long Time, int Thread, int Process, SystemCall Call, int Fd, long Result, string? Name, EpollEvents Events);

    private struct Known
    {
        internal SimFile File;
        internal EpollEvents Readiness;
    }

    /// <summary>Begins anew, with this simulation.</summary>
    internal void Attach(World world)
    {
        _entries.Clear();
        _known.Clear();
        _world = world;
        world.Log.Listener += Add;
    }

    private void Add(Step step)
    {
        SimThread? thread = step.Thread < 0 ? null : _world!.Threads[step.Thread];
        int process = thread?.Process.ProcessId ?? 0;
        switch (step.Kind)
        {
            case StepKind.Entered:
                Add(EntryKind.Entered, step, process, KindOf(thread, step.Fd));
                break;
            case StepKind.Call:
                Add(EntryKind.Returned, step, process, ReturnsDescriptor(step.Call) && step.Result >= 0 ? KindOf(thread, (int)step.Result) : null);
                LookAtDescriptors(step);
                break;
            case StepKind.Woken:
                Add(EntryKind.Woke, step, process, ((SimThread)step.Subject!).Name);
                break;
            case StepKind.Queued:
                Add(EntryKind.Queued, step, process, ((EpollItem)step.Subject!).File.Kind);
                break;
            case StepKind.Delivered:
                Add(EntryKind.Delivered, step, process, ((EpollItem)step.Subject!).File.Kind);
                break;
            default:
                Add(EntryKind.Note, step, process, StepText.What(step).TrimStart());
                break;
        }
    }

    private void Add(EntryKind kind, in Step step, int process, string? name)
        => _entries.Add(new Entry(kind, step.Time, step.Thread, process, step.Call, step.Fd, step.Result, name, step.Events));

    private static bool ReturnsDescriptor(SystemCall call) => call
        is SystemCall.Open or SystemCall.Dup3 or SystemCall.Socket or SystemCall.Accept4 or SystemCall.EpollCreate1 or SystemCall.EventFd
        or SystemCall.TimerFdCreate or SystemCall.SignalFd or SystemCall.PidFdOpen or SystemCall.InotifyInit;

    private static string? KindOf(SimThread? thread, int fd) => thread?.Process.Descriptors.Find(fd)?.Kind;

    // Any call may have changed the readiness of any descriptor: the other end's, another process's.
    private void LookAtDescriptors(in Step step)
    {
        foreach (Machine machine in _world!.Machines)
        {
            foreach (SimKernel process in machine.Processes)
            {
                foreach ((int fd, SimFile file, _) in process.Descriptors.Open)
                {
                    if (file.CanPoll)
                        Look(step, process.ProcessId, fd, file);
                }
            }
        }

        foreach (((int process, int fd), Known known) in _known)
        {
            if (FileOf(process, fd) != known.File)
                _gone.Add((process, fd));
        }

        foreach ((int process, int fd) in _gone)
        {
            _entries.Add(new Entry(EntryKind.Gone, step.Time, step.Thread, process, 0, fd, 0, _known[(process, fd)].File.Kind, 0));
            _known.Remove((process, fd));
        }

        _gone.Clear();
    }

    private void Look(in Step step, int process, int fd, SimFile file)
    {
        EpollEvents readiness = file.Readiness;
        if (_known.TryGetValue((process, fd), out Known known))
        {
            if (known.File != file)
            {
                _entries.Add(new Entry(EntryKind.Gone, step.Time, step.Thread, process, 0, fd, 0, known.File.Kind, 0));
                known.Readiness = EpollEvents.None;
            }
            else if (known.Readiness == readiness)
            {
                return;
            }
        }

        if (known.Readiness != readiness)
            _entries.Add(new Entry(EntryKind.Readiness, step.Time, step.Thread, process, 0, fd, 0, file.Kind, readiness));
        _known[(process, fd)] = new Known { File = file, Readiness = readiness };
    }

    private SimFile? FileOf(int process, int fd)
    {
        foreach (Machine machine in _world!.Machines)
        {
            foreach (SimKernel candidate in machine.Processes)
            {
                if (candidate.ProcessId == process)
                    return candidate.Descriptors.Find(fd);
            }
        }

        return null;
    }
}
