namespace Weir.Simulation;

// Work that others leave for a thread to do in the kernel, on its way in or out: kernel/task_work.c. It interrupts a call that blocks, as a
// signal without a handler would.
internal sealed partial class SimThread
{
    private readonly Queue<(RingFile Ring, Action<bool> Do)> _taskWork = new();
    private bool _isRunningTaskWork;

    /// <summary>Whether there is work that nobody has begun.</summary>
    internal bool HasTaskWork => _taskWork.Count > 0;

    /// <summary>Some of it would have interrupted the thread at once, wherever it was (TWA_SIGNAL without a ring that says otherwise).</summary>
    internal bool HasUrgentWork { get; private set; }

    /// <summary>Numbers of rings that only this thread knows (io_uring_register(2), IORING_REGISTER_RING_FDS).</summary>
    internal RingFile?[]? RegisteredRings { get; set; }

    /// <summary>Leaves work, which is told whether the thread has ended before it could do it.</summary>
    internal void AddTaskWork(RingFile ring, Action<bool> work, bool urgent)
    {
        _taskWork.Enqueue((ring, work));
        HasUrgentWork |= urgent;
        Wake();
    }

    // io_uring_unreg_ringfd
    private void DropRegisteredRings()
    {
        foreach (RingFile? ring in RegisteredRings ?? [])
            ring?.Drop();
        RegisteredRings = null;
    }

    /// <summary>task_work_run, on this thread.</summary>
    internal void RunTaskWork()
    {
        if (_isRunningTaskWork || _taskWork.Count == 0)
            return;
        _isRunningTaskWork = true;
        try
        {
            while (_taskWork.TryDequeue(out var work))
                work.Do(State == ThreadState.Ended);
            HasUrgentWork = false;
        }
        finally
        {
            _isRunningTaskWork = false;
        }
    }
}
