using System.Diagnostics;

namespace Weir;

/// <summary>
/// Operations in flight in a ring of the loop's: which of them a completion belongs to, by a place and a generation in its user data. Whose ring
/// it is, and when it is submitted and waited for, is the derived class's part.
/// </summary>
internal abstract class RingRequests(Ring ring, IoUringProbe known) : RingOperations
{
    private readonly IoUringProbe _known = known;
    private RingOperation?[] _operations = [];
    private uint[] _generations = [];
    private int[] _free = [];
    private int _freeCount;
    private int _inFlight;
    private bool _isClosed;
    private RegisteredFiles? _files;
    private bool _hasNoFiles;

    internal override string Name => "io_uring";

    internal override int InFlight => _inFlight;

    protected Ring Ring { get; } = ring;

    internal override bool Supports(IoUringOp op) => _known.Supports((int)op);

    internal override int Register(int fd)
    {
        if (_isClosed || _hasNoFiles)
            return -1;
        _files ??= RegisteredFiles.TryCreate(Ring);
        _hasNoFiles = _files == null;
        return _files?.Add(fd) ?? -1;
    }

    internal override void Unregister(int place) => _files?.Remove(place);

    internal override void Start(RingOperation operation)
    {
        if (_isClosed)
        {
            operation.Refused(-(int)IoDriver.Closed);
            return;
        }

        ulong token = operation.InFlightToken = Admit(operation);
        if (!Ring.HasRoomFor(1) && !TryMakeRoom())
        {
            Take(token);
            operation.Refused(-(int)Errno.EBUSY);
            return;
        }

        ref Submission entry = ref Ring.Next();
        entry = operation.Entry;
        entry.UserData = token;
        if (operation.Place < 0)
            return;
        entry.Descriptor = operation.Place;
        entry.Flags |= SubmissionFlags.FixedFile;
    }

    internal override void Cancel(RingOperation operation)
    {
        // Behind the entry it is about, if that has not been submitted yet: the kernel takes them in order.
        if (Find(operation.InFlightToken) != operation || (!Ring.HasRoomFor(1) && !TryMakeRoom()))
            return;
        ref Submission entry = ref Ring.Next();
        entry.Op = IoUringOp.AsyncCancel;
        entry.Descriptor = -1;
        entry.Address = operation.InFlightToken;
        entry.UserData = RingUserData.Of(UringRequest.None, 0);
    }

    /// <summary>Submits, so that there is room for another entry. False: there still is none.</summary>
    protected abstract bool TryMakeRoom();

    /// <summary>Hands a completion out, if it is that of an operation.</summary>
    internal void Complete(in Completion completion)
    {
        if (IsOperation(completion.UserData))
            Take(completion.UserData)?.Completed(completion.Result);
    }

    /// <summary>The kernel has not taken an entry and will not.</summary>
    protected void Refuse(ulong userData, int error)
    {
        if (IsOperation(userData))
            Take(userData)?.Refused(error);
    }

    private static bool IsOperation(ulong userData) => RingUserData.RequestIn(userData) == UringRequest.Operation;

    internal override void CancelAll()
    {
        foreach (RingOperation? operation in _operations)
        {
            if (operation != null)
                Cancel(operation);
        }
    }

    /// <summary>From here on nothing is started.</summary>
    protected void Close()
    {
        _isClosed = true;
        _files?.Dispose();
        _files = null;
    }

    protected bool IsClosed => _isClosed;

    /// <summary>What is in flight.</summary>
    protected IEnumerable<RingOperation> Operations => _operations.OfType<RingOperation>();

    private ulong Admit(RingOperation operation)
    {
        if (_freeCount == 0)
            Grow();
        int index = _free[--_freeCount];
        _operations[index] = operation;
        _inFlight++;
        return RingUserData.Of(UringRequest.Operation, (ulong)_generations[index] << 32 | (uint)index);
    }

    private RingOperation? Find(ulong token)
    {
        int index = RingUserData.IndexIn(token);
        return index < _operations.Length && _generations[index] == RingUserData.GenerationIn(token) ? _operations[index] : null;
    }

    private RingOperation? Take(ulong token)
    {
        RingOperation? operation = Find(token);
        Debug.Assert(operation != null, "Each operation completes once.");
        if (operation == null)
            return null;
        int index = RingUserData.IndexIn(token);
        _operations[index] = null;
        _generations[index]++;
        _free[_freeCount++] = index;
        _inFlight--;
        return operation;
    }

    private void Grow()
    {
        int before = _operations.Length, after = Math.Max(64, 2 * before);
        Array.Resize(ref _operations, after);
        Array.Resize(ref _generations, after);
        Array.Resize(ref _free, after);
        for (int i = after - 1; i >= before; i--)
            _free[_freeCount++] = i;
    }
}
