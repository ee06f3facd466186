namespace Weir.Net;

/// <summary>
/// What a connection has received, in memory that belongs to its loop: taken with <see cref="Connection.TryReceive"/>, looked at, and then
/// sent on with <see cref="Connection.SendAsync"/> or given back with <see cref="Dispose"/>. Between connections of one loop nothing is copied
/// on io_uring.
/// </summary>
/// <remarks>
/// For the loop's thread. It must be sent or disposed of exactly once, and not looked at afterwards: the memory is then received into again.
/// Copies of this value stand for the same memory. The loop has a limited number of such buffers (<see cref="LoopOptions.ReceiveBufferCount"/>),
/// so hold on to one no longer than needed.
/// </remarks>
public struct ReceivedBuffer : IDisposable
{
    private readonly IoDriver? _driver;
    private Lease _lease;

    internal ReceivedBuffer(IoDriver driver, in Lease lease)
    {
        _driver = driver;
        _lease = lease;
    }

    /// <summary>How many bytes were received; 0 is the end of the stream.</summary>
    public readonly int Length => _lease.Length;

    /// <summary>The bytes.</summary>
    public readonly ReadOnlySpan<byte> Span => _driver == null ? default : _driver.BytesOf(_lease);

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _driver?.Return(ref _lease);

    internal readonly void RequireOf(IoDriver driver)
    {
        if (driver != _driver)
            throw new InvalidOperationException("A received buffer is sent on by a connection of the same loop; copy its bytes to hand them to another.");
    }

    internal nint SendNow(ulong token) => _driver!.SendNow(token, ref _lease);
}
