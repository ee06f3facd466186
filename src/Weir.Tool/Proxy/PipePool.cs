using Weir.Net;

namespace Weir.Tool.Proxy;

/// <summary>
/// Pipes for splicing. A pump takes one when there is something to move and gives it back once that is moved, so mostly one pipe, and
/// always the same, serves everybody; more are in use only while receivers are slow.
/// </summary>
internal sealed class PipePool(int most) : IDisposable
{
    private const int MostIdle = 8;

    private readonly Stack<SplicePipe> _idle = new();
    private int _left = most;
    private bool _isOff;

    /// <summary>Null: there is none to be had now; use buffers.</summary>
    internal SplicePipe? Rent()
    {
        if (_idle.TryPop(out SplicePipe? pipe))
            return pipe;
        if (_isOff || _left <= 0)
            return null;
        try
        {
            pipe = SplicePipe.Create();
            _left--;
            return pipe;
        }
        catch (KernelException)
        {
            return null; // descriptors are short: connections need them more
        }
    }

    /// <summary>Takes a pipe back. One that still holds bytes of a connection that failed is closed.</summary>
    internal void Return(SplicePipe pipe)
    {
        if (pipe.Count == 0 && _idle.Count < MostIdle && !_isOff)
        {
            _idle.Push(pipe);
            return;
        }

        pipe.Dispose();
        _left++;
    }

    /// <summary>The kernel, or this kind of socket, cannot splice: no more pipes.</summary>
    internal void SwitchOff()
    {
        _isOff = true;
        Trim();
    }

    /// <summary>Closes the pipes that nobody uses.</summary>
    internal void Trim()
    {
        while (_idle.TryPop(out SplicePipe? pipe))
        {
            pipe.Dispose();
            _left++;
        }
    }

    public void Dispose() => Trim();
}
