namespace Weir;

/// <summary>
/// Performs the operations of a ring where there is none: by blocking calls on a few threads of its own, which end with the loop. On a kernel
/// that schedules threads itself, as a simulator does, the calls are made by the loop's thread at once.
/// </summary>
internal sealed class CallThreads : RingOperations
{
    private const int MostThreads = 4;

    private readonly Kernel _kernel;
    private readonly WorkQueue _queue;
    private readonly string _loopName;
    private readonly Delivery _delivery;
    private readonly object _gate = new(); // a monitor, for its condition; guards all that follows
    private readonly List<Thread> _threads = [];
    private List<(RingOperation Operation, int Result)> _done = [];
    private List<(RingOperation Operation, int Result)> _delivered = [];
    private RingOperation? _first;
    private RingOperation? _last;
    private int _queued;
    private int _idle;
    private int _running;
    private bool _isClosed;
    private int _inFlight; // the loop's thread only

    internal CallThreads(Kernel kernel, WorkQueue queue, string loopName)
    {
        _kernel = kernel;
        _queue = queue;
        _loopName = loopName;
        _delivery = new Delivery(this);
    }

    private bool IsDirect => _kernel.SchedulesThreads;

    internal override string Name => IsDirect ? "calls" : "threads";

    internal override int InFlight => _inFlight;

    internal override bool Supports(IoUringOp op) => BlockingCalls.Supports(op);

    internal override void Start(RingOperation operation)
    {
        if (_isClosed)
        {
            operation.Refused(-(int)IoDriver.Closed);
            return;
        }

        if (IsDirect)
        {
            operation.Completed(BlockingCalls.Perform(_kernel, operation.Entry));
            return;
        }

        bool failed;
        lock (_gate)
        {
            failed = _queued >= _idle && _threads.Count < MostThreads && !TryAddThread() && _threads.Count == 0;
            if (!failed)
            {
                Append(operation);
                _inFlight++;
                if (_idle > 0)
                    Monitor.Pulse(_gate);
            }
        }

        if (failed)
            operation.Refused(-(int)Errno.EAGAIN);
    }

    private bool TryAddThread()
    {
        var thread = new Thread(Work) { IsBackground = true, Name = $"{_loopName} files {_threads.Count + 1}" };
        try
        {
            thread.Start();
        }
        catch (Exception exception) when (exception is OutOfMemoryException or ThreadStartException)
        {
            return false; // RLIMIT_NPROC or memory
        }

        _threads.Add(thread);
        return true;
    }

    internal override void Cancel(RingOperation operation)
    {
        lock (_gate)
        {
            if (operation.InFlightToken == 0)
                return; // a thread is at it, and will not be long
            Unlink(operation);
        }

        _inFlight--;
        operation.Completed(-(int)Errno.ECANCELED);
    }

    private void Work()
    {
        lock (_gate)
        {
            while (true)
            {
                while (_first == null)
                {
                    if (_isClosed)
                        return;
                    _idle++;
                    Monitor.Wait(_gate);
                    _idle--;
                }

                RingOperation operation = _first;
                Unlink(operation);
                _running++;
                Monitor.Exit(_gate);
                int result = BlockingCalls.Perform(_kernel, operation.Entry);
                Monitor.Enter(_gate);
                _running--;
                _done.Add((operation, result));
                if (_done.Count > 1)
                    continue; // whoever put the first one there has told the loop
                Monitor.PulseAll(_gate); // those at the loop's end wait here
                Monitor.Exit(_gate);
                _queue.Post(_delivery);
                Monitor.Enter(_gate);
            }
        }
    }

    private void Deliver()
    {
        lock (_gate)
            (_done, _delivered) = (_delivered, _done);
        foreach ((RingOperation operation, int result) in _delivered)
        {
            _inFlight--;
            operation.Completed(result);
        }

        _delivered.Clear();
    }

    internal override void CancelAll()
    {
        while (TakeFirst() is { } operation)
        {
            _inFlight--;
            operation.Completed(-(int)Errno.ECANCELED);
        }
    }

    internal override void EndAll()
    {
        do
        {
            CancelAll();
            lock (_gate)
            {
                while (_running > 0)
                    Monitor.Wait(_gate, 1); // a pulse may have gone to a thread that idles
            }

            Deliver();
        }
        while (_inFlight > 0); // a write that was cut short has begun its rest
    }

    private RingOperation? TakeFirst()
    {
        lock (_gate)
        {
            RingOperation? operation = _first;
            if (operation != null)
                Unlink(operation);
            return operation;
        }
    }

    /// <summary>Ends the threads. After the loop's inbox is sealed: one of them may be posting.</summary>
    public override void Dispose()
    {
        EndAll();
        lock (_gate)
        {
            _isClosed = true;
            Monitor.PulseAll(_gate);
        }

        foreach (Thread thread in _threads)
            thread.Join();
    }

    // In the queue while the token is not 0.
    private void Append(RingOperation operation)
    {
        operation.InFlightToken = 1;
        _queued++;
        operation.Next = null;
        operation.Previous = _last;
        if (_last == null)
            _first = operation;
        else
            _last.Next = operation;
        _last = operation;
    }

    private void Unlink(RingOperation operation)
    {
        operation.InFlightToken = 0;
        _queued--;
        if (operation.Previous == null)
            _first = operation.Next;
        else
            operation.Previous.Next = operation.Next;
        if (operation.Next == null)
            _last = operation.Previous;
        else
            operation.Next.Previous = operation.Previous;
        operation.Next = operation.Previous = null;
    }

    private sealed class Delivery(CallThreads threads) : LoopWork
    {
        internal override void Execute() => threads.Deliver();
    }
}
