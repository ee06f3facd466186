namespace Weir.Simulation;

public sealed unsafe partial class SimKernel
{
    /// <inheritdoc/>
    public override nint Splice(int fdIn, long* offsetIn, int fdOut, long* offsetOut, nuint length, SpliceFlags flags) => throw NotEmulated("splice");

    /// <inheritdoc/>
    public override int Pipe2(int* fds, FileFlags flags) => throw NotEmulated("pipe2");

    /// <inheritdoc/>
    public override int MakeFifo(byte* path, int mode) => throw NotEmulated("mkfifo");
}
