using System.Runtime.ExceptionServices;

namespace Weir;

/// <summary>
/// A loop that is taken from wait to wait instead of waiting itself, so that many loops take turns on one thread. It runs the very code that
/// <see cref="EventLoop.Run(Func{Task}, LoopOptions?)"/> does. Between two steps it counts as asleep where a loop would be: others wake it
/// by the same protocol.
/// </summary>
/// <remarks>
/// For one thread at a time, which need not be the same one always. A program cannot tell: within a step the thread is the loop's.
/// </remarks>
internal sealed class LoopStepper : IDisposable
{
    private readonly IEnumerator<long> _life;
    private SynchronizationContext? _context; // as the loop's code left it at its last wait
    private ExceptionDispatchInfo? _failure;
    private bool _hasBegun;

    /// <summary>A loop that will run <paramref name="main"/>; nothing of it runs before the first step. May be made inside a loop.</summary>
    /// <exception cref="KernelException">No descriptors for it.</exception>
    internal LoopStepper(Func<Task> main, LoopOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(main);
        Loop = EventLoop.Create(main, options);
        Loop.IsStepped = true;
        _life = Loop.Life();
        _context = Loop.SynchronizationContext;
    }

    internal EventLoop Loop { get; }

    /// <summary>Whether the loop is over: it ended, a step threw, or it was disposed of.</summary>
    internal bool HasEnded { get; private set; }

    /// <summary>
    /// The descriptor that becomes readable when the loop's wait would end before its time. To be asked for after each step; -1 after the end.
    /// </summary>
    internal int WaitDescriptor => Loop.Driver.WaitDescriptor;

    /// <summary>
    /// Goes on to the next wait. The wait that the last step stopped at must be over by now: it is only looked what it brings. To come too
    /// early costs a turn and does no harm.
    /// </summary>
    /// <param name="timeout">How long the loop wants to wait now, in nanoseconds; 0: it has more to do, negative: for ever.</param>
    /// <returns>False: the loop has ended and its descriptors are closed; <see cref="Outcome"/> says how.</returns>
    /// <exception cref="InvalidOperationException">A loop runs on this thread already; nothing has happened.</exception>
    /// <remarks>
    /// What is thrown apart from that comes from the kernel, or from an abandoned wait, as out of Run: the loop is over, and closed down as far
    /// as the kernel let it.
    /// </remarks>
    internal bool Step(out long timeout)
    {
        timeout = 0;
        if (HasEnded)
            return false;
        bool waits = false;
        SynchronizationContext? contextBefore = TakeThread();
        try
        {
            try
            {
                _hasBegun = true;
                waits = _life.MoveNext();
                timeout = waits ? _life.Current : 0;
            }
            finally
            {
                if (!waits)
                    Close();
            }
        }
        catch (Exception exception)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
            throw;
        }
        finally
        {
            LeaveThread(contextBefore);
        }

        return waits;
    }

    /// <summary>The main task, which has ended, or thrown what Run throws in its place.</summary>
    /// <exception cref="InvalidOperationException">The loop goes on.</exception>
    internal Task Outcome()
    {
        if (!HasEnded)
            throw new InvalidOperationException($"Loop \"{Loop.Options.Name}\" has not ended.");
        _failure?.Throw();
        return Loop.Outcome();
    }

    /// <summary>
    /// Ends a loop that has not ended: <see cref="EventLoop.Stopping"/> is cancelled, waits end with <see cref="ObjectDisposedException"/>, and
    /// what has not unwound after some turns is abandoned. Then the descriptors go.
    /// </summary>
    /// <exception cref="InvalidOperationException">A loop runs on this thread; nothing has happened.</exception>
    /// <remarks>As from a step, the kernel's own exceptions come out of it.</remarks>
    public void Dispose()
    {
        if (HasEnded)
            return;
        SynchronizationContext? contextBefore = TakeThread();
        _failure = ExceptionDispatchInfo.Capture(new ObjectDisposedException(nameof(LoopStepper), $"Loop \"{Loop.Options.Name}\" was disposed of before it had ended."));
        try
        {
            Loop.GiveUpTasks();
            while (_hasBegun && _life.MoveNext())
            {
                // No wait from here on is more than a look.
            }
        }
        finally
        {
            try
            {
                Close();
            }
            finally
            {
                LeaveThread(contextBefore);
            }
        }
    }

    private void Close()
    {
        HasEnded = true;
        Loop.CloseDown();
    }

    private SynchronizationContext? TakeThread()
    {
        if (EventLoop.ThreadIsTaken)
            throw new InvalidOperationException("A loop cannot be stepped from inside a loop: one at a time runs on a thread.");
        return Loop.TakeThread(_context);
    }

    private void LeaveThread(SynchronizationContext? contextBefore)
    {
        _context = SynchronizationContext.Current;
        EventLoop.LeaveThread(contextBefore);
    }
}
