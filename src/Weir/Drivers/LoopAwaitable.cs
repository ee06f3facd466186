using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Weir;

/// <summary>Where an awaitable is in its life.</summary>
internal enum AwaitableStatus : byte
{
    /// <summary>Free to be prepared.</summary>
    Idle,

    /// <summary>Waits for whatever completes it.</summary>
    Parked,

    /// <summary>Has an entry in the work queue and will be tried, or completed, when that runs.</summary>
    Queued,

    /// <summary>Has its result; whoever awaits it has not fetched it yet.</summary>
    Completed,
}

/// <summary>
/// Something awaited again and again on one loop: prepared, started, completed, fetched, and then used anew. It is itself the value
/// task's source, so that steady traffic allocates nothing (the framework's ready-made core allocates under a context).
/// </summary>
/// <remarks>
/// <para>All but <see cref="OnCompleted"/>, the fetch and the reaction to a cancelled token belongs to the loop's thread. There is at most
/// one entry in the work queue, and only that entry completes: so readiness, cancelling and closing cannot complete it twice.</para>
/// <para>The caller is resumed where it awaited: on the loop with the loop's context; on the loop with no context installed if it
/// captured none (then ordinary tasks that it completes run their continuations there too, instead of going to the thread pool); through
/// its own context, scheduler or the thread pool if it awaited elsewhere.</para>
/// </remarks>
internal abstract class LoopAwaitable(WorkQueue queue) : LoopWork, IValueTaskSource<int>, IValueTaskSource
{
    // Stands in the continuation's place once the result is there before anyone awaited it.
    private static readonly Action<object?> CompletedSentinel = static _ => Debug.Fail("The sentinel is never invoked.");

    private Action<object?>? _continuation;
    private object? _continuationState;
    private Extras? _extras; // made when first needed, and kept
    private int _result;
    private short _version;
    private volatile AwaitableStatus _status; // a caller on another thread looks at it
    private bool _withoutContext;
    private bool _cancelable;

    /// <summary>The loop's queue.</summary>
    protected WorkQueue Queue { get; } = queue;

    internal AwaitableStatus Status => _status;

    /// <summary>Whether the result is there, though the caller may not have been told yet.</summary>
    internal bool HasResult { get; private set; }

    /// <summary>A negated errno, or what the kind of awaitable says.</summary>
    internal int Result => _result;

    /// <summary>Called when the queue comes to it and it has no result. False: it goes on waiting.</summary>
    protected abstract bool TryFinish();

    /// <summary>It is about to complete.</summary>
    protected virtual void Finishing()
    {
    }

    /// <summary>Its result was fetched and it is idle. May run on the fetching thread.</summary>
    protected virtual void Released()
    {
    }

    /// <summary>The caller's token was cancelled: end the wait. On the loop's thread.</summary>
    protected abstract void CancelOnLoop();

    /// <summary>The exception for a negative result.</summary>
    protected abstract Exception ToException(int result, CancellationToken cancellation);

    /// <summary>Begins a new use.</summary>
    protected void Begin()
    {
        Debug.Assert(Status == AwaitableStatus.Idle, "It is prepared only after its last result was fetched.");
        HasResult = false;
    }

    /// <summary>Takes the result back: what looked like the end of a wait was none.</summary>
    protected void ClearResult() => HasResult = false;

    /// <summary>Sets the result; who calls it completes in the same breath or has it queued for completion.</summary>
    internal void SetResult(int result)
    {
        _result = result;
        HasResult = true;
    }

    /// <summary>Takes the result of a start that completed at once; it is idle again.</summary>
    internal int TakeResult()
    {
        _status = AwaitableStatus.Idle;
        return _result;
    }

    /// <summary>Something keeps it until there is news.</summary>
    internal void Park() => _status = AwaitableStatus.Parked;

    /// <summary>It is tried (or, with a result already set, completed) when the queue comes to it.</summary>
    internal void Enqueue()
    {
        if (_status == AwaitableStatus.Queued)
            return;
        _status = AwaitableStatus.Queued;
        Queue.Enqueue(this);
    }

    /// <summary>Sets a result, unless there is one, and has it delivered.</summary>
    internal void End(int result)
    {
        if (HasResult || _status is not (AwaitableStatus.Parked or AwaitableStatus.Queued))
            return;
        SetResult(result);
        Enqueue();
    }

    /// <summary>Carries it over to the loop, where it starts when the queue comes to it. False: the loop has stopped.</summary>
    internal bool StartFromElsewhere()
    {
        _status = AwaitableStatus.Queued;
        return Queue.Post(this);
    }

    /// <summary>As <see cref="StartFromElsewhere()"/>, for what has nothing to do before <paramref name="deadline"/>.</summary>
    protected bool StartFromElsewhere(long deadline)
    {
        _status = AwaitableStatus.Queued;
        return Queue.PostFor(deadline, this);
    }

    /// <summary>What a caller awaits after a start that did not complete at once.</summary>
    internal ValueTask<int> AsValueTask(CancellationToken cancellation)
    {
        ObserveCancellation(cancellation);
        return new ValueTask<int>(this, _version);
    }

    /// <summary>As <see cref="AsValueTask"/>, for callers who want no count.</summary>
    internal ValueTask AsPlainValueTask(CancellationToken cancellation)
    {
        ObserveCancellation(cancellation);
        return new ValueTask(this, _version);
    }

    private void ObserveCancellation(CancellationToken cancellation)
    {
        if (!cancellation.CanBeCanceled)
            return;
        _cancelable = true;
        (_extras ??= new Extras()).Cancellation = cancellation.UnsafeRegister(static state => ((LoopAwaitable)state!).OnTokenCanceled(), this);
    }

    /// <inheritdoc/>
    internal sealed override void Execute()
    {
        if (_status == AwaitableStatus.Completed)
        {
            // The result came before the await: the entry is there to resume the caller.
            Resume(_continuation!);
            return;
        }

        _status = AwaitableStatus.Parked; // its entry is used up
        if (!HasResult && !TryFinish())
            return;

        Finishing();
        _status = AwaitableStatus.Completed;
        Action<object?>? continuation = Volatile.Read(ref _continuation);
        if (continuation != null)
            Volatile.Write(ref _continuation, CompletedSentinel); // the one caller there may be is here
        else
            continuation = Interlocked.Exchange(ref _continuation, CompletedSentinel); // one on another thread may be coming right now: the second resumes it
        if (continuation != null)
            Resume(continuation);
    }

    /// <summary>The object whose members it is awaited through, if it is used again and again: who resumes looks there next.</summary>
    internal object? Owner { get; init; }

    /// <summary>This runs next: have near what it resumes, an async method's state as a rule.</summary>
    internal void PrefetchCaller()
    {
        Prefetch.Object(_continuationState, 3);
        Prefetch.Object(Owner, 1);
    }

    private void Resume(Action<object?> continuation)
    {
        object? state = _continuationState;
        if (_extras?.Resumption is { } resumption)
        {
            if (resumption.Leaves(Queue))
                Queue.HopsOffLoop++;
            resumption.Invoke(continuation, state);
        }
        else if (_withoutContext)
        {
            SynchronizationContext.SetSynchronizationContext(null);
            try
            {
                continuation(state);
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(Queue.Context);
            }
        }
        else
        {
            continuation(state);
        }
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        CheckVersion(token);
        if (_status != AwaitableStatus.Completed)
        {
            // A second await asks here first. What is thrown here reaches its caller; out of OnCompleted it would reach nobody and end
            // the process.
            RequireFirstAwait();
            return ValueTaskSourceStatus.Pending;
        }

        // Completed counts for others only once the continuation's place was taken too: a caller on another thread who fetched before that
        // would find the mark of this use in the next one.
        if (Volatile.Read(ref _continuation) == null)
            return ValueTaskSourceStatus.Pending;

        return _result >= 0 ? ValueTaskSourceStatus.Succeeded
            : _result == -(int)Errno.ECANCELED ? ValueTaskSourceStatus.Canceled
            : ValueTaskSourceStatus.Faulted;
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        CheckVersion(token);
        // Before anything is written: the first to await must stay as he is.
        RequireFirstAwait();
        bool onLoop = Queue.IsCurrent;
        if (onLoop && flags == ValueTaskSourceOnCompletedFlags.UseSchedulingContext && SynchronizationContext.Current == Queue.Context)
        {
            _withoutContext = false;
        }
        else
        {
            _withoutContext = true;
            Resumption? resumption = Resumption.Capture(flags, onLoop ? Queue : null);
            if (resumption != null)
                (_extras ??= new Extras()).Resumption = resumption;
        }

        _continuationState = state;
        Action<object?>? before = onLoop ? SetContinuation(continuation) : Interlocked.CompareExchange(ref _continuation, continuation, null);
        if (before == null)
            return;
        if (before != CompletedSentinel)
            throw new InvalidOperationException("It is being awaited already; a ValueTask may be awaited once.");
        _continuation = continuation;
        if (onLoop)
            Queue.Enqueue(this);
        else
            _extras!.Resumption!.Invoke(continuation, state);
    }

    // On the loop nothing completes it meanwhile; and the framework's exchange of references costs as much as the rest of an await.
    private Action<object?>? SetContinuation(Action<object?> continuation)
    {
        Action<object?>? before = _continuation;
        if (before == null)
            Volatile.Write(ref _continuation, continuation);
        return before;
    }

    private void RequireFirstAwait()
    {
        if (Volatile.Read(ref _continuation) is { } earlier && earlier != CompletedSentinel)
            throw new InvalidOperationException("It is being awaited already; a ValueTask may be awaited once.");
    }

    int IValueTaskSource<int>.GetResult(short token) => Fetch(token);

    void IValueTaskSource.GetResult(short token) => Fetch(token);

    private int Fetch(short token)
    {
        CheckVersion(token);
        if (_status != AwaitableStatus.Completed)
            throw new InvalidOperationException("It has not completed: await it instead of asking for its result.");
        int result = _result;
        CancellationToken cancellation = default;
        if (_cancelable)
        {
            cancellation = _extras!.Cancellation.Token;
            _extras.Cancellation.Dispose(); // waits for a callback that runs on another thread, so that none can meet the next use
            _extras.Cancellation = default;
            _cancelable = false;
        }

        Exception? failure = result < 0 ? ToException(result, cancellation) : null;
        _continuation = null;
        _continuationState = null;
        if (_extras != null)
            _extras.Resumption = null;
        _version++;
        // Last: once idle it may be prepared again, by the loop's thread while a foreign caller is still in here.
        _status = AwaitableStatus.Idle;
        Released();
        return failure == null ? result : throw failure;
    }

    private void OnTokenCanceled()
    {
        if (Queue.IsCurrent)
            CancelOnLoop();
        else
            Queue.Post(new CancelRequest(this, _version));
    }

    private void CheckVersion(short token)
    {
        if (token != _version)
            throw new InvalidOperationException("It was awaited before, and is in use again; a ValueTask may be awaited once.");
    }

    /// <summary>What few uses need.</summary>
    private sealed class Extras
    {
        internal CancellationTokenRegistration Cancellation;
        internal Resumption? Resumption;
    }

    private sealed class CancelRequest(LoopAwaitable awaitable, short version) : LoopWork
    {
        internal override void Execute()
        {
            if (awaitable._version == version)
                awaitable.CancelOnLoop();
        }
    }
}
