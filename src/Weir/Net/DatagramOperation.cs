using System.Net;
using System.Runtime.InteropServices;

namespace Weir.Net;

/// <summary>Which call a <see cref="DatagramOperation"/> makes.</summary>
internal enum DatagramCall : byte
{
    Receive,
    ReceiveMessage,
    ReceiveBatch,
    Send,
    SendMessage,
    SendBatch,
}

/// <summary>
/// A receive or send of datagrams, which the driver sees as a wait: when that ends the call is made, and where the kernel was not ready after
/// all another wait begins, without the caller noticing. Used again and again, so nothing is allocated for one.
/// </summary>
internal sealed class DatagramOperation(EventLoop loop, SocketDomain domain, bool writes) : IoOperation(loop.Queue)
{
    // Stands for EAGAIN of a send that no wait will help: among the results, and no errno of Linux.
    private const int NoLocalPort = -4097;

    private DatagramCall _call;
    private bool _namesSender;
    private Memory<byte> _data;
    private SocketAddress? _address;
    private AncillaryData? _ancillary;
    private DatagramBatch? _batch;
    private int _mostSegment = domain == SocketDomain.Unix ? 0 : ushort.MaxValue;

    private IoDriver Driver => Queue.Driver;

    private EpollEvents Direction => writes ? EpollEvents.Out : EpollEvents.In;

    /// <summary>Flags of the last datagram received.</summary>
    internal MessageFlags Flags { get; set; }

    /// <summary>Where several datagrams may come as one message: what was received so. Null: each comes by itself.</summary>
    internal ReceivedTrains? Trains { get; init; }

    /// <summary>How many datagrams of a batch have been sent.</summary>
    internal int Sent => _batch?.Sent ?? 0;

    /// <summary>Says what is to be done.</summary>
    internal void Ask(DatagramCall call, ReadOnlyMemory<byte> data, SocketAddress? address, AncillaryData? ancillary, DatagramBatch? batch)
    {
        _call = call;
        _data = MemoryMarshal.AsMemory(data); // of what is sent the kernel only reads
        _address = address;
        _ancillary = ancillary;
        _namesSender = call == DatagramCall.SendMessage && ancillary is { NamesSender: true };
        _batch = batch;
        if (batch != null)
            batch.IsInUse = true;
    }

    /// <summary>Starts it. True: it has its result already.</summary>
    internal bool Begin(ulong token)
    {
        // As a rule there is something, or room, and no wait is needed.
        bool isHeld = Trains is { IsEmpty: false }; // whatever the budget: the kernel may never say again that there is something
        if (isHeld || (Queue.HasBudget && (Driver.Readiness(token, EpollEvents.None) & (Direction | AlwaysReported)) != 0))
        {
            int result = CallNow(token);
            if (result != -(int)Errno.EAGAIN)
            {
                SetResult(result);
                return true;
            }

            int error = NoteNotReady(token);
            if (error < 0)
            {
                SetResult(error);
                return true;
            }
        }

        Prepare(writes ? OperationKind.WaitToWrite : OperationKind.WaitToRead, token, default, Direction);
        return Driver.Start(this) && CallAfterWait();
    }

    /// <summary>Makes the call, once. -EAGAIN: the kernel is not ready.</summary>
    internal int CallNow(ulong token)
    {
        int fd = Driver.DescriptorOf(token);
        if (fd < 0)
            return -(int)IoDriver.Closed;
        int result = CallOnce(fd);
        if (result == -(int)Errno.EAGAIN && writes && domain != SocketDomain.Unix)
            result = CallAgainIfWritable(fd);
        if (result >= 0)
            Queue.Spend(_batch == null ? result : _batch.Bytes);
        return result;
    }

    private int CallOnce(int fd)
    {
        MessageFlags flags = MessageFlags.None;
        int result = _call switch
        {
            DatagramCall.Receive or DatagramCall.ReceiveMessage => ReceiveNow(_call, fd, _data.Span, _address, _ancillary, out flags),
            DatagramCall.ReceiveBatch => _batch!.Receive(loop.Kernel, fd, Trains),
            DatagramCall.Send => DatagramCalls.Send(loop.Kernel, fd, _data.Span),
            DatagramCall.SendMessage => DatagramCalls.SendMessage(loop.Kernel, fd, _data.Span, _address, _ancillary),
            _ => _batch!.Send(loop.Kernel, fd, ref _mostSegment),
        };
        Flags = flags;
        return result;
    }

    // A socket without a port is given one by its first send, and EAGAIN also says that none is left (inet_autobind): it is writable, and no event would
    // ever come. A send that was refused for want of room is not, unless room has come since; then it succeeds.
    private unsafe int CallAgainIfWritable(int fd)
    {
        var entry = new PollEntry { Descriptor = fd, Events = (short)EpollEvents.Out };
        if (loop.Kernel.Poll(&entry, 1, 0) <= 0 || (entry.Returned & (short)EpollEvents.Out) == 0)
            return -(int)Errno.EAGAIN;
        int result = CallOnce(fd);
        return result == -(int)Errno.EAGAIN ? NoLocalPort : result;
    }

    /// <summary>Receives one datagram that is there.</summary>
    internal int ReceiveNow(DatagramCall call, int fd, Span<byte> buffer, SocketAddress? from, AncillaryData? ancillary, out MessageFlags flags)
    {
        if (Trains != null)
            return Trains.Receive(loop.Kernel, fd, buffer, from, ancillary, out flags);
        return call == DatagramCall.Receive
            ? DatagramCalls.Receive(loop.Kernel, fd, buffer, out flags)
            : DatagramCalls.ReceiveMessage(loop.Kernel, fd, buffer, from, ancillary, out flags);
    }

    // The kernel was not ready: forget what was known, errors too, for they were told or are gone. A negated errno: it cannot be watched.
    private int NoteNotReady(ulong token)
    {
        Driver.Readiness(token, Direction | EpollEvents.RdHup | AlwaysReported);
        return writes ? Driver.NoteFull(token) : 0;
    }

    protected override bool TryFinish() => base.TryFinish() && CallAfterWait();

    // A wait has ended. False: another has begun.
    private bool CallAfterWait()
    {
        while (Result >= 0)
        {
            int result = CallNow(Token);
            if (result == -(int)Errno.EAGAIN)
                result = NoteNotReady(Token) is int error and < 0 ? error : result;
            if (result != -(int)Errno.EAGAIN)
            {
                SetResult(result);
                break;
            }

            Driver.Finished(this);
            ClearResult();
            if (!Driver.Start(this))
                return false;
        }

        return true;
    }

    protected override void Finishing()
    {
        base.Finishing();
        LetGo();
    }

    /// <summary>Keeps nothing of the caller's.</summary>
    internal void LetGo()
    {
        _data = default;
        _address = null;
        _ancillary = null;
        if (_batch != null)
            _batch.IsInUse = false;
        _batch = null;
    }

    protected override Exception ToException(int result, CancellationToken cancellation) => Failure(result, Driver.DescriptorOf(Token), cancellation);

    /// <summary>The exception for a negative result.</summary>
    internal Exception Failure(int result, int fd, CancellationToken cancellation = default)
        => (Errno)(-result) is Errno.ECANCELED or IoDriver.Closed or Errno.EBUSY
            ? ToException(Kind, result, fd, cancellation)
            : new KernelException(_namesSender ? SocketCalls.SendCredentialsName : Name(_call), fd, result == NoLocalPort ? Errno.EAGAIN : (Errno)(-result));

    internal static string Name(DatagramCall call) => call switch
    {
        DatagramCall.Receive => "recv",
        DatagramCall.ReceiveMessage => "recvmsg",
        DatagramCall.ReceiveBatch => "recvmmsg",
        DatagramCall.Send => "send",
        DatagramCall.SendMessage => "sendmsg",
        _ => "sendmmsg",
    };
}
