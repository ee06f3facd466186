using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>One entry of the run queue: work, or a delegate with its state. Two words, so that queues of them allocate nothing.</summary>
internal readonly struct RunEntry
{
    private readonly object _target;
    private readonly object? _state;

    internal RunEntry(object target, object? state)
    {
        _target = target;
        _state = state;
    }

    internal RunEntry(LoopWork work)
        : this(work, null)
    {
    }

    internal RunEntry(Action action)
        : this(action, null)
    {
    }

    internal RunEntry(Action<object?> action, object? state)
        : this((object)action, state)
    {
    }

    internal bool IsSameAs(in RunEntry other) => ReferenceEquals(_target, other._target) && ReferenceEquals(_state, other._state);

    /// <summary>What runs; null for an empty place of a queue.</summary>
    internal object? Target => _target;

    /// <summary>The operation this entry completes, if it is that kind of entry.</summary>
    internal IoOperation? Operation => _target as IoOperation;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Invoke()
    {
        // Nearly always an I/O operation: the test for a sealed type is one comparison.
        if (_target is IoOperation operation)
            operation.Execute();
        else if (_target is RingOperation ring)
            ring.Execute();
        else
            InvokeOther();
    }

    // Delegates run in the thread's own execution context; what they change of it (an AsyncLocal) must not reach the next entry.
    private void InvokeOther()
    {
        ExecutionContext? before = ExecutionContext.Capture();
        try
        {
            InvokeTarget();
        }
        finally
        {
            if (before != null && ExecutionContext.Capture() != before)
                ExecutionContext.Restore(before);
        }
    }

    private void InvokeTarget()
    {
        // The delegates first: theirs are sealed types, tested with one comparison each.
        switch (_target)
        {
            case Action<object?> action:
                action(_state);
                break;
            case SendOrPostCallback callback:
                callback(_state);
                break;
            case Action action:
                action();
                break;
            default:
                ((LoopWork)_target).Execute();
                break;
        }
    }
}
