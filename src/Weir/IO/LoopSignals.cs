using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Weir;

/// <summary>
/// Process signals as something to await on a loop. While it lives, the signals it was made for do not do what they do by default. Built on the
/// framework's own handling of signals (<see cref="PosixSignalRegistration"/>), and so at peace with everyone else who uses that.
/// </summary>
/// <remarks>
/// For its loop's thread; Dispose for any. As with signals everywhere, one that comes again before it was taken counts once.
/// </remarks>
public sealed class LoopSignals : IDisposable
{
    private readonly EventLoop _loop;
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Action<PosixSignal> _onSignal; // on the loop

    // One entry for each signal that has come and was not taken. Written on the loop, so that a reader is resumed there.
    private readonly Channel<PosixSignal> _arrived = Channel.CreateUnbounded<PosixSignal>(new UnboundedChannelOptions
    {
        SingleReader = true,
        AllowSynchronousContinuations = true,
    });

    private readonly HashSet<PosixSignal> _pending = [];
    private bool _isWaiting;

    /// <summary>Takes signals on the current loop.</summary>
    /// <param name="signals">Which: names of <see cref="PosixSignal"/>, or the system's numbers cast to it.</param>
    /// <exception cref="ArgumentException">None was named.</exception>
    /// <exception cref="IOException">One of them cannot be handled: SIGKILL, SIGSTOP, a number that is no signal.</exception>
    public LoopSignals(params ReadOnlySpan<PosixSignal> signals)
        : this(EventLoop.Required, signals, null)
    {
    }

    private LoopSignals(EventLoop loop, ReadOnlySpan<PosixSignal> signals, Action<PosixSignal>? onSignal)
    {
        if (signals.IsEmpty)
            throw new ArgumentException("Name the signals to wait for.", nameof(signals));
        _loop = loop;
        _onSignal = onSignal ?? Deliver;
        _registrations = new PosixSignalRegistration[signals.Length];
        try
        {
            for (int i = 0; i < signals.Length; i++)
                _registrations[i] = PosixSignalRegistration.Create(signals[i], Arrived);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>
    /// Has SIGTERM and SIGINT (Ctrl+C) stop <paramref name="loop"/> in an orderly way (<see cref="EventLoop.Stop"/>): what runs on it sees
    /// <see cref="EventLoop.Stopping"/> and ends. The first signal gives back what signals do by default, so that a second one ends the process at
    /// once. Dispose the result when the loop has nothing left to stop. Any thread.
    /// </summary>
    public static IDisposable StopOn(EventLoop loop)
    {
        ArgumentNullException.ThrowIfNull(loop);
        LoopSignals signals = null!;
        signals = StopOn(loop, _ =>
        {
            loop.Stop();
            signals.Dispose();
        });
        return signals;
    }

    /// <summary>
    /// Has SIGTERM and SIGINT (Ctrl+C) call <paramref name="onSignal"/> on the loop, with the number of signals so far, from 1: for those who end
    /// in steps. Any thread.
    /// </summary>
    public static LoopSignals StopOn(EventLoop loop, Action<int> onSignal)
    {
        ArgumentNullException.ThrowIfNull(loop);
        ArgumentNullException.ThrowIfNull(onSignal);
        int count = 0;
        return new LoopSignals(loop, [PosixSignal.SIGTERM, PosixSignal.SIGINT], _ => onSignal(++count));
    }

    /// <summary>Waits for the next signal, or takes one that has come already: the one that came first. One waiter at a time.</summary>
    /// <exception cref="BusyResourceException">Someone else is waiting.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed, before or meanwhile.</exception>
    public async ValueTask<PosixSignal> WaitAsync(CancellationToken cancellationToken = default)
    {
        if (!_loop.IsCurrent)
            throw new InvalidOperationException("Signals are waited for on the thread of their loop; post to the loop from elsewhere.");
        if (_isWaiting)
            throw new BusyResourceException("Another task is already waiting for these signals; one at a time.");
        _isWaiting = true;
        try
        {
            PosixSignal signal = await _arrived.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            _pending.Remove(signal);
            return signal;
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(LoopSignals));
        }
        finally
        {
            _isWaiting = false;
        }
    }

    /// <summary>The signals as they come, until cancelled.</summary>
    public async IAsyncEnumerable<PosixSignal> ReadAllAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
            yield return await WaitAsync(cancellationToken);
    }

    // On a thread of the framework's.
    private void Arrived(PosixSignalContext context)
    {
        PosixSignal signal = context.Signal;
        // A loop that has stopped takes nothing any more: then the signal does what it does by default.
        context.Cancel = _loop.Post(static state =>
        {
            var (signals, signal) = ((LoopSignals, PosixSignal))state!;
            signals._onSignal(signal);
        }, (this, signal));
    }

    private void Deliver(PosixSignal signal)
    {
        if (_pending.Add(signal))
            _arrived.Writer.TryWrite(signal);
    }

    /// <summary>Gives the signals back; a wait ends with <see cref="ObjectDisposedException"/>. Any thread.</summary>
    public void Dispose()
    {
        foreach (PosixSignalRegistration? registration in _registrations)
            registration?.Dispose();
        if (_loop.IsCurrent)
            _arrived.Writer.TryComplete();
        else
            _loop.Post(static signals => ((LoopSignals)signals!)._arrived.Writer.TryComplete(), this);
    }
}
