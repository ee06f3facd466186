using System.Runtime.InteropServices;

namespace Weir.Tool.Commands;

/// <summary>
/// SIGTERM and SIGINT as calls on a loop. The runtime takes the signals on a thread of its own; its default, to end the process, is
/// switched off while this lives.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private readonly EventLoop _loop;
    private readonly Action<int> _onSignal;
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _interrupt;
    private int _count;

    /// <param name="loop">Where <paramref name="onSignal"/> is called.</param>
    /// <param name="onSignal">Gets the number of signals so far, from 1.</param>
    internal StopSignals(EventLoop loop, Action<int> onSignal)
    {
        _loop = loop;
        _onSignal = onSignal;
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Arrived);
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Arrived);
    }

    private void Arrived(PosixSignalContext context)
    {
        context.Cancel = true;
        _loop.Post(static signals => ((StopSignals)signals!).Tell(), this);
    }

    private void Tell() => _onSignal(++_count);

    public void Dispose()
    {
        _terminate.Dispose();
        _interrupt.Dispose();
    }
}
