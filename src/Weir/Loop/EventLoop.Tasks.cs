namespace Weir;

public sealed partial class EventLoop
{
    private LoopTask? _firstTask;
    private int _taskCount;

    /// <summary>The tasks alive now, the youngest first. The loop's thread only.</summary>
    public IReadOnlyList<LoopTask> Tasks
    {
        get
        {
            var tasks = new List<LoopTask>(_taskCount);
            for (LoopTask? task = _firstTask; task != null; task = task.Next)
                tasks.Add(task);
            return tasks;
        }
    }

    /// <summary>
    /// Starts <paramref name="body"/> on the loop, as an entry of its own, under a name that shows in <see cref="Tasks"/>. The task returned
    /// ends as the body does; a failure is for whoever awaits it. Run waits for all spawned tasks. Any thread.
    /// </summary>
    /// <remarks>
    /// It is an ordinary task that completes on the loop. A plain await resumes where it was begun: on the loop, in the caller's own context, or on
    /// the thread pool. <c>ConfigureAwait(false)</c> resumes on the thread pool, on the loop as well, unless the code that spawned it ran on the
    /// loop with no context installed.
    /// </remarks>
    /// <exception cref="ObjectDisposedException">The loop has stopped.</exception>
    public Task Spawn(Func<Task> body, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        bool here = IsCurrent;
        var spawn = new SpawnWork(this, body, name, fromElsewhere: !here);
        if (!_queue.Post(spawn))
            throw new ObjectDisposedException(nameof(EventLoop), "The loop has stopped and runs nothing more.");
        if (here)
            _taskCount++; // counted from now on, so that a loop about to end waits for it
        return spawn.Completion;
    }

    /// <summary>
    /// Runs <paramref name="function"/> on the loop, as an entry of its own, and hands its result back; the caller resumes where it awaits, as for
    /// <see cref="Spawn"/>. Any thread, the loop's own included; only to block until it has ended is not for a loop's thread.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The loop has stopped.</exception>
    public async Task<T> InvokeAsync<T>(Func<ValueTask<T>> function)
    {
        ArgumentNullException.ThrowIfNull(function);
        T result = default!;
        // On the loop it goes on where it was called; elsewhere nobody's context is needed for this.
        await Spawn(async () => result = await function()).ConfigureAwait(continueOnCapturedContext: IsCurrent);
        return result;
    }

    /// <summary>Starts a task at once, up to its first wait. The loop's thread only.</summary>
    internal void StartTask<TState>(LoopTask task, Func<TState, Task> body, TState state)
    {
        _taskCount++;
        // The caller may have been resumed without a context; the task is to come back here after each of its awaits all the same.
        SynchronizationContext? context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(_queue.Context);
        try
        {
            task.Start(body, state);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    internal void Add(LoopTask task)
    {
        task.Next = _firstTask;
        if (_firstTask != null)
            _firstTask.Previous = task;
        _firstTask = task;
        Call(Hook.TaskSpawned, task: task);
    }

    internal void Remove(LoopTask task)
    {
        if (task.Previous != null)
            task.Previous.Next = task.Next;
        else
            _firstTask = task.Next;
        if (task.Next != null)
            task.Next.Previous = task.Previous;
        _taskCount--;
        Call(Hook.TaskEnded, task: task);
    }

    private sealed class SpawnWork(EventLoop loop, Func<Task> body, string? name, bool fromElsewhere) : LoopWork
    {
        // Who spawned it from elsewhere must not be resumed on the loop. On the loop the flag would do harm: what combines tasks (WhenAll) would
        // be told on the thread pool.
        private readonly TaskCompletionSource _completion = new(fromElsewhere ? TaskCreationOptions.RunContinuationsAsynchronously : TaskCreationOptions.None);
        private readonly ExecutionContext? _context = ExecutionContext.Capture();
        private readonly bool _withoutContext = !fromElsewhere && SynchronizationContext.Current == null;

        internal Task Completion => _completion.Task;

        internal override void Execute()
        {
            if (fromElsewhere)
                loop._taskCount++;
            if (_context == null)
                Start();
            else
                ExecutionContext.Run(_context, static spawn => ((SpawnWork)spawn!).Start(), this);
        }

        private void Start()
        {
            var task = new SpawnedTask(loop, name, _completion, _withoutContext);
            task.Start(static body => body(), body);
        }
    }

    private sealed class SpawnedTask(EventLoop loop, string? name, TaskCompletionSource completion, bool withoutContext) : LoopTask(loop)
    {
        public override string? Name => name;

        private protected override EventLoop Loop { get; } = loop;

        private protected override void Ended()
        {
            if (!withoutContext)
            {
                completion.SetFromTask(Task!);
                return;
            }

            // Code that ran on the loop with no context spawned it, and it ends as an async method called there would: who awaits it without one
            // goes on here. For a task spawned under the context that may well be somebody on another thread, whose code must not run here.
            SynchronizationContext? context = SynchronizationContext.Current;
            SynchronizationContext.SetSynchronizationContext(null);
            try
            {
                completion.SetFromTask(Task!);
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(context);
            }
        }
    }
}
