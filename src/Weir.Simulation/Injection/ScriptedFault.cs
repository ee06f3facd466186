namespace Weir.Simulation;

/// <summary>Calls of one kind that fail in their turn.</summary>
internal sealed class ScriptedFault(SystemCall call, Errno error, int passing, int failing, int? descriptor, SimKernel? kernel)
{
    private int _passing = passing;
    private int _failing = failing;

    internal bool IsOver => _failing == 0;

    /// <summary>Counts a call that is about to be made. What it fails with; none: it passes.</summary>
    internal Errno Count(SimKernel process, SystemCall made, int fd)
    {
        if (made != call || (descriptor != null && fd != descriptor) || (kernel != null && process != kernel) || IsOver)
            return Errno.None;
        if (_passing > 0)
        {
            _passing--;
            return Errno.None;
        }

        _failing--;
        return error;
    }

    internal ScriptedFault Copy() => new(call, error, _passing, _failing, descriptor, kernel);
}
