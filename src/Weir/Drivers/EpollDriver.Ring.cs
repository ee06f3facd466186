namespace Weir;

internal sealed partial class EpollDriver
{
    private LoopRing? _ring;
    private ulong _ringToken;
    private string? _ringRefusal;

    internal override RingOperations? RingOperations
    {
        get
        {
            if (_ring == null && _ringRefusal == null)
                OpenRing();
            return _ring;
        }
    }

    internal override string? RingRefusal => _ringRefusal;

    internal override int OperationsInFlight => _ring?.InFlight ?? 0;

    private void OpenRing()
    {
        LoopRing? ring = LoopRing.TryCreate(Kernel, out _ringRefusal);
        if (ring == null)
            return;
        try
        {
            _ringToken = Register(ring.FileDescriptor, DescriptorKind.WatchedHandle, EpollEvents.In, EpollEvents.None);
            _ring = ring;
        }
        catch (KernelException exception)
        {
            _ringRefusal = exception.Message;
            ring.Dispose();
        }
    }

    internal override void BeforeWait() => _ring?.Flush();

    internal override int Wait(long timeout, long deadline)
    {
        if (_ring != null && _ring.Flush())
            timeout = 0; // something has completed on the way, and is queued by now
        return _set.Wait(timeout);
    }

    /// <summary>The set cannot watch it any more: what is in flight is waited for, and it is given up.</summary>
    private void LoseRing()
    {
        _ring!.WaitForAll();
        CloseRing();
        _ringRefusal = "epoll_ctl(ADD): the ring could not be taken over into a new epoll set";
    }

    private void CloseRing()
    {
        LoopRing? ring = _ring;
        if (ring == null)
            return;
        Unregister(_ringToken);
        ring.Dispose();
        _ring = null;
        _ringRefusal ??= "the loop has ended";
    }
}
