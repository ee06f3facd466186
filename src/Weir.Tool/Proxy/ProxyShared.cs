namespace Weir.Tool.Proxy;

/// <summary>What all pumps of a proxy have in common. For the loop's thread.</summary>
internal sealed class ProxyShared(int maxPipes)
{
    /// <summary>In use between a read and the write that follows it, never across a wait. Pinned, as each use would pin it.</summary>
    internal byte[] Buffer { get; } = GC.AllocateUninitializedArray<byte>(Pump.BufferSize, pinned: true);

    internal PipePool Pipes { get; } = new(maxPipes);

    /// <summary>
    /// Goes up as time passes, in steps of the idle check. A pump notes it for each message: that is all a message costs the idle timeout.
    /// </summary>
    internal int Tick;
}
