using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>A descriptor that is read as one number of 8 bytes, which the read takes away: eventfd(2), timerfd_create(2).</summary>
internal class CounterStream(EventLoop loop, int fd) : DescriptorStream(loop, fd, DescriptorKind.Other, EpollEvents.In, EpollEvents.None)
{
    private readonly byte[] _value = new byte[sizeof(ulong)];

    public override bool CanRead => true;

    public override bool CanWrite => false;

    /// <summary>
    /// Waits until there is a number, and takes it. Where somebody was faster, or a timer was set anew after it had expired, nothing is there any more
    /// (EAGAIN): then the read waits on.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal async ValueTask<long> WaitAsync(CancellationToken cancellationToken)
    {
        await ReadAsync(_value, cancellationToken).ConfigureAwait(false);
        return BitConverter.ToInt64(_value);
    }
}
