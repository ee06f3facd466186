using System.Runtime.InteropServices;

namespace Weir.Tests;

/// <summary>The structs and numbers of io_uring as include/uapi/linux/io_uring.h has them.</summary>
public sealed unsafe class RingLayoutTests
{
    [Fact]
    public void Structs_have_the_sizes_of_the_kernel()
    {
        Assert.Equal(120, sizeof(IoUringParameters));
        Assert.Equal(40, sizeof(SubmissionRingOffsets));
        Assert.Equal(40, sizeof(CompletionRingOffsets));
        Assert.Equal(64, sizeof(Submission));
        Assert.Equal(16, sizeof(Completion));
        Assert.Equal(24, sizeof(IoUringWaitArgument));
        Assert.Equal(16, sizeof(RingBuffer));
        Assert.Equal(40, sizeof(BufferRingRegistration));
        Assert.Equal(16, sizeof(ResourceUpdate));
        Assert.Equal(32, sizeof(ResourceRegistration));
        Assert.Equal(64, sizeof(SyncCancelRequest));
        Assert.Equal(16 + 256 * 8, sizeof(IoUringProbe));
        Assert.Equal(256, sizeof(StatXResult));
    }

    [Theory]
    [InlineData(typeof(IoUringParameters), nameof(IoUringParameters.SubmissionEntries), 0)]
    [InlineData(typeof(IoUringParameters), nameof(IoUringParameters.CompletionEntries), 4)]
    [InlineData(typeof(IoUringParameters), nameof(IoUringParameters.Flags), 8)]
    [InlineData(typeof(IoUringParameters), nameof(IoUringParameters.Features), 20)]
    [InlineData(typeof(IoUringParameters), nameof(IoUringParameters.WorkQueueDescriptor), 24)]
    [InlineData(typeof(IoUringParameters), nameof(IoUringParameters.SubmissionOffsets), 40)]
    [InlineData(typeof(IoUringParameters), nameof(IoUringParameters.CompletionOffsets), 80)]
    [InlineData(typeof(SubmissionRingOffsets), nameof(SubmissionRingOffsets.Tail), 4)]
    [InlineData(typeof(SubmissionRingOffsets), nameof(SubmissionRingOffsets.RingMask), 8)]
    [InlineData(typeof(SubmissionRingOffsets), nameof(SubmissionRingOffsets.Flags), 16)]
    [InlineData(typeof(SubmissionRingOffsets), nameof(SubmissionRingOffsets.Array), 24)]
    [InlineData(typeof(SubmissionRingOffsets), nameof(SubmissionRingOffsets.UserAddress), 32)]
    [InlineData(typeof(CompletionRingOffsets), nameof(CompletionRingOffsets.Overflow), 16)]
    [InlineData(typeof(CompletionRingOffsets), nameof(CompletionRingOffsets.Completions), 20)]
    [InlineData(typeof(CompletionRingOffsets), nameof(CompletionRingOffsets.Flags), 24)]
    [InlineData(typeof(Submission), nameof(Submission.Descriptor), 4)]
    [InlineData(typeof(Submission), nameof(Submission.Offset), 8)]
    [InlineData(typeof(Submission), nameof(Submission.Address), 16)]
    [InlineData(typeof(Submission), nameof(Submission.Length), 24)]
    [InlineData(typeof(Submission), nameof(Submission.OperationFlags), 28)]
    [InlineData(typeof(Submission), nameof(Submission.UserData), 32)]
    [InlineData(typeof(Submission), nameof(Submission.BufferGroup), 40)]
    [InlineData(typeof(Submission), nameof(Submission.FileIndex), 44)]
    [InlineData(typeof(Submission), nameof(Submission.Address3), 48)]
    [InlineData(typeof(Submission), nameof(Submission.AttributeTypes), 56)]
    [InlineData(typeof(Completion), nameof(Completion.Result), 8)]
    [InlineData(typeof(Completion), nameof(Completion.Flags), 12)]
    [InlineData(typeof(IoUringWaitArgument), nameof(IoUringWaitArgument.Timeout), 16)]
    [InlineData(typeof(RingBuffer), nameof(RingBuffer.Length), 8)]
    [InlineData(typeof(RingBuffer), nameof(RingBuffer.Id), 12)]
    [InlineData(typeof(RingBuffer), nameof(RingBuffer.Tail), 14)]
    [InlineData(typeof(BufferRingRegistration), nameof(BufferRingRegistration.Entries), 8)]
    [InlineData(typeof(BufferRingRegistration), nameof(BufferRingRegistration.Group), 12)]
    [InlineData(typeof(ResourceUpdate), nameof(ResourceUpdate.Data), 8)]
    [InlineData(typeof(ResourceRegistration), nameof(ResourceRegistration.Data), 16)]
    [InlineData(typeof(ResourceRegistration), nameof(ResourceRegistration.Tags), 24)]
    [InlineData(typeof(SyncCancelRequest), nameof(SyncCancelRequest.Descriptor), 8)]
    [InlineData(typeof(SyncCancelRequest), nameof(SyncCancelRequest.Flags), 12)]
    [InlineData(typeof(SyncCancelRequest), nameof(SyncCancelRequest.Timeout), 16)]
    [InlineData(typeof(SyncCancelRequest), nameof(SyncCancelRequest.Op), 32)]
    [InlineData(typeof(IoUringProbe), nameof(IoUringProbe.Count), 1)]
    [InlineData(typeof(StatXResult), nameof(StatXResult.Mode), 28)]
    [InlineData(typeof(StatXResult), nameof(StatXResult.Size), 40)]
    [InlineData(typeof(StatXResult), nameof(StatXResult.AccessTime), 64)]
    [InlineData(typeof(StatXResult), nameof(StatXResult.ModifyTime), 112)]
    public void Fields_are_where_the_kernel_looks_for_them(Type type, string field, int offset)
        => Assert.Equal(offset, (int)Marshal.OffsetOf(type, field));

    /// <summary>The numbers, against the header where one is installed; it may be older than this code.</summary>
    [Fact]
    public void Numbers_are_those_of_the_header()
    {
        const string Header = "/usr/include/linux/io_uring.h";
        if (!File.Exists(Header))
            return;
        Dictionary<string, long> header = UringHeader.Read(File.ReadAllText(Header));
        (string Name, long Value)[] ours =
        [
            ("IORING_OP_NOP", (int)IoUringOp.Nop), ("IORING_OP_READV", (int)IoUringOp.ReadV), ("IORING_OP_FSYNC", (int)IoUringOp.FSync),
            ("IORING_OP_POLL_ADD", (int)IoUringOp.PollAdd), ("IORING_OP_ASYNC_CANCEL", (int)IoUringOp.AsyncCancel), ("IORING_OP_FALLOCATE", (int)IoUringOp.FAllocate),
            ("IORING_OP_OPENAT", (int)IoUringOp.OpenAt), ("IORING_OP_CLOSE", (int)IoUringOp.Close), ("IORING_OP_STATX", (int)IoUringOp.StatX),
            ("IORING_OP_READ", (int)IoUringOp.Read), ("IORING_OP_WRITE", (int)IoUringOp.Write), ("IORING_OP_SEND", (int)IoUringOp.Send),
            ("IORING_OP_RECV", (int)IoUringOp.Receive), ("IORING_OP_EPOLL_CTL", (int)IoUringOp.EpollCtl), ("IORING_OP_SHUTDOWN", (int)IoUringOp.Shutdown),
            ("IORING_OP_MSG_RING", (int)IoUringOp.MessageRing), ("IORING_OP_SEND_ZC", (int)IoUringOp.SendZeroCopy), ("IORING_OP_FTRUNCATE", (int)IoUringOp.FTruncate),
            ("IORING_REGISTER_PROBE", (int)IoUringRegisterOp.Probe), ("IORING_REGISTER_RING_FDS", (int)IoUringRegisterOp.RingFds),
            ("IORING_REGISTER_FILES", (int)IoUringRegisterOp.Files), ("IORING_UNREGISTER_FILES", (int)IoUringRegisterOp.UnregisterFiles),
            ("IORING_REGISTER_FILES_UPDATE", (int)IoUringRegisterOp.FilesUpdate), ("IORING_REGISTER_FILES2", (int)IoUringRegisterOp.Files2),
            ("IORING_REGISTER_PBUF_RING", (int)IoUringRegisterOp.BufferRing), ("IORING_REGISTER_SYNC_CANCEL", (int)IoUringRegisterOp.SyncCancel),
            ("IORING_SETUP_CQSIZE", (uint)IoUringSetupFlags.CompletionQueueSize), ("IORING_SETUP_SUBMIT_ALL", (uint)IoUringSetupFlags.SubmitAll),
            ("IORING_SETUP_COOP_TASKRUN", (uint)IoUringSetupFlags.CooperativeTaskRun), ("IORING_SETUP_TASKRUN_FLAG", (uint)IoUringSetupFlags.TaskRunFlag),
            ("IORING_SETUP_SINGLE_ISSUER", (uint)IoUringSetupFlags.SingleIssuer), ("IORING_SETUP_DEFER_TASKRUN", (uint)IoUringSetupFlags.DeferTaskRun),
            ("IORING_ENTER_GETEVENTS", (uint)IoUringEnterFlags.GetEvents), ("IORING_ENTER_EXT_ARG", (uint)IoUringEnterFlags.ExtendedArgument),
            ("IORING_ENTER_REGISTERED_RING", (uint)IoUringEnterFlags.RegisteredRing), ("IORING_ENTER_ABS_TIMER", (uint)IoUringEnterFlags.AbsoluteTimer),
            ("IORING_FEAT_MIN_TIMEOUT", (uint)IoUringFeatures.MinimumTimeout), ("IORING_FEAT_NO_IOWAIT", (uint)IoUringFeatures.NoIoWait),
            ("IORING_ENTER_NO_IOWAIT", (uint)IoUringEnterFlags.NoIoWait),
            ("IORING_SQ_CQ_OVERFLOW", (uint)SubmissionQueueFlags.CompletionOverflow), ("IORING_SQ_TASKRUN", (uint)SubmissionQueueFlags.TaskRun),
            ("IORING_FEAT_SINGLE_MMAP", (uint)IoUringFeatures.SingleMMap), ("IORING_FEAT_NODROP", (uint)IoUringFeatures.NoDrop),
            ("IORING_FEAT_RW_ATTR", (uint)IoUringFeatures.ReadWriteAttributes), ("IORING_RSRC_REGISTER_SPARSE", ResourceRegistration.Sparse),
            ("IORING_CQE_F_BUFFER", (uint)CompletionFlags.Buffer), ("IORING_CQE_F_MORE", (uint)CompletionFlags.More),
            ("IORING_ASYNC_CANCEL_ALL", (uint)AsyncCancelFlags.All), ("IORING_ASYNC_CANCEL_FD", (uint)AsyncCancelFlags.Descriptor), ("IORING_ASYNC_CANCEL_ANY", (uint)AsyncCancelFlags.Any),
            ("IORING_OFF_SQ_RING", IoUringOffset.SubmissionRing), ("IORING_OFF_CQ_RING", IoUringOffset.CompletionRing), ("IORING_OFF_SQES", IoUringOffset.SubmissionEntries),
        ];
        int compared = 0;
        foreach ((string name, long value) in ours)
        {
            if (!header.TryGetValue(name, out long expected))
                continue;
            Assert.True(expected == value, $"{name} is {expected}, not {value}");
            compared++;
        }

        Assert.InRange(compared, 30, ours.Length);
    }
}
