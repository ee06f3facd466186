using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>
/// Process signals as something to await on a loop. While it lives, the signals it was made for do not do what they do by default. Built on the
/// framework's own handling of signals (<see cref="PosixSignalRegistration"/>), and so at peace with everyone else who uses that.
/// </summary>
/// <remarks>
/// For its loop's thread; Dispose for any. As everywhere with signals, one that comes again before it was taken counts once (signal(7)). Once the
/// loop has stopped, signals do what they do by default again.
/// </remarks>
public sealed class LoopSignals : IDisposable
{
    private readonly EventLoop _loop;
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Action<LoopSignals, PosixSignal> _onSignal; // on the loop
    private readonly Queue<PosixSignal> _arrived = new();
    private readonly Wait? _wait; // null: nobody waits, signals call
    private volatile bool _disposed;

    /// <summary>Takes signals on the current loop.</summary>
    /// <param name="signals">Which: names of <see cref="PosixSignal"/>, or the system's numbers cast to it.</param>
    /// <exception cref="ArgumentException">None was named.</exception>
    /// <exception cref="IOException">One of them cannot be handled: SIGKILL, SIGSTOP.</exception>
    public LoopSignals(params ReadOnlySpan<PosixSignal> signals)
        : this(EventLoop.Required, signals, static (own, signal) => own.Deliver(signal))
    {
        _wait = new Wait(_loop.Queue);
        _loop.DisposeAtEnd(this);
    }

    private LoopSignals(EventLoop loop, ReadOnlySpan<PosixSignal> signals, Action<LoopSignals, PosixSignal> onSignal)
    {
        if (signals.IsEmpty)
            throw new ArgumentException("Name the signals to wait for.", nameof(signals));
        _loop = loop;
        _onSignal = onSignal;
        _registrations = new PosixSignalRegistration[signals.Length];
        try
        {
            for (int i = 0; i < signals.Length; i++)
                _registrations[i] = PosixSignalRegistration.Create(signals[i], Arrived);
        }
        catch
        {
            Unregister();
            throw;
        }
    }

    /// <summary>
    /// Has SIGTERM and SIGINT (Ctrl+C) stop <paramref name="loop"/> in an orderly way (<see cref="EventLoop.Stop"/>): what runs on it sees
    /// <see cref="EventLoop.Stopping"/> and ends. From then on signals do what they do by default, so that a second one ends the process at
    /// once. Any thread.
    /// </summary>
    public static LoopSignals StopOn(EventLoop loop)
    {
        ArgumentNullException.ThrowIfNull(loop);
        return new LoopSignals(loop, [PosixSignal.SIGTERM, PosixSignal.SIGINT], static (own, _) =>
        {
            own.Dispose();
            own._loop.Stop();
        });
    }

    /// <summary>
    /// Has SIGTERM and SIGINT (Ctrl+C) call <paramref name="onSignal"/> on the loop with the number of signals so far, from 1: for those who end
    /// in steps. Any thread.
    /// </summary>
    public static LoopSignals StopOn(EventLoop loop, Action<int> onSignal)
    {
        ArgumentNullException.ThrowIfNull(loop);
        ArgumentNullException.ThrowIfNull(onSignal);
        int count = 0;
        return new LoopSignals(loop, [PosixSignal.SIGTERM, PosixSignal.SIGINT], (_, _) => onSignal(++count));
    }

    /// <summary>Waits for the next signal, or takes one that has come already: the one that came first. One waiter at a time.</summary>
    /// <exception cref="BusyResourceException">Someone else is waiting.</exception>
    /// <exception cref="InvalidOperationException">Its signals call a method (<see cref="StopOn(EventLoop)"/>).</exception>
    /// <exception cref="ObjectDisposedException">It was disposed, before or meanwhile, or the loop has stopped.</exception>
    public ValueTask<PosixSignal> WaitAsync(CancellationToken cancellationToken = default)
    {
        if (!_loop.IsCurrent || _wait == null)
            throw new InvalidOperationException("Signals are waited for on the thread of their loop, and only where they do not call a method instead.");
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<PosixSignal>(cancellationToken);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_wait.Status != AwaitableStatus.Idle)
            throw new BusyResourceException("Another task is already waiting for these signals; one at a time.");
        return _arrived.TryDequeue(out PosixSignal signal)
            ? new ValueTask<PosixSignal>(signal)
            : Next(_wait.Begin(cancellationToken));

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        async ValueTask<PosixSignal> Next(ValueTask wait)
        {
            await wait.ConfigureAwait(false);
            return _arrived.Dequeue();
        }
    }

    /// <summary>The signals as they come, until cancelled.</summary>
    public async IAsyncEnumerable<PosixSignal> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
            yield return await WaitAsync(cancellationToken);
    }

    // On a thread of the framework's.
    private void Arrived(PosixSignalContext context)
        => context.Cancel = _loop.Post(static state => ((Arrival)state!).Tell(), new Arrival(this, context.Signal));

    private void Deliver(PosixSignal signal)
    {
        if (_arrived.Contains(signal))
            return;
        _arrived.Enqueue(signal);
        _wait!.End(0);
    }

    /// <summary>Gives the signals back; a wait ends with <see cref="ObjectDisposedException"/>. Any thread.</summary>
    public void Dispose()
    {
        _disposed = true;
        Unregister();
        if (_wait == null)
            return;
        if (_loop.IsCurrent)
            Close();
        else
            _loop.Post(static signals => ((LoopSignals)signals!).Close(), this);
    }

    private void Close()
    {
        _loop.ForgetAtEnd(this);
        _wait!.End(-(int)IoDriver.Closed);
    }

    private void Unregister()
    {
        foreach (PosixSignalRegistration? registration in _registrations)
            registration?.Dispose();
    }

    private sealed record Arrival(LoopSignals Signals, PosixSignal Signal)
    {
        internal void Tell()
        {
            if (!Signals._disposed)
                Signals._onSignal(Signals, Signal);
        }
    }

    private sealed class Wait(WorkQueue queue) : LoopAwaitable(queue)
    {
        internal ValueTask Begin(CancellationToken cancellationToken)
        {
            Begin();
            Park();
            return AsPlainValueTask(cancellationToken);
        }

        protected override bool TryFinish() => false; // it is ended, never tried

        protected override void CancelOnLoop() => End(-(int)Errno.ECANCELED);

        protected override Exception ToException(int result, CancellationToken cancellation)
            => result == -(int)Errno.ECANCELED
                ? new OperationCanceledException(cancellation)
                : new ObjectDisposedException(nameof(LoopSignals));
    }
}
