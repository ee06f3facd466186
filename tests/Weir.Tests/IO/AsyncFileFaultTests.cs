namespace Weir.Tests;

/// <summary>A fault in any one step of a file's life loses nothing that was said to be done, and leaves nothing behind.</summary>
public class AsyncFileFaultTests : LoopTests
{
    private readonly string _path = $"/tmp/weir-fault-{Guid.NewGuid():N}";

    public static TheoryData<DriverKind, bool, Errno> Cases()
    {
        var cases = new TheoryData<DriverKind, bool, Errno>();
        foreach (Errno errno in new[] { Errno.EIO, Errno.ENOMEM, Errno.EINTR, Errno.EAGAIN, Errno.EMFILE })
        {
            cases.Add(DriverKind.Epoll, true, errno);
            cases.Add(DriverKind.Epoll, false, errno);
            cases.Add(DriverKind.Auto, true, errno);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_call_of_the_door_refused_in_turn(DriverKind driver, bool withRing, Errno errno)
    {
        int step = 0;
        while (true)
        {
            var kernel = new FaultyKernel(InnerKernel, step++, errno, withRing);
            var done = new Progress();
            Exception? failure = Record.Exception(() => RunOn(kernel, driver, done));
            Assert.True(failure is null or KernelException or ObjectDisposedException, $"step {step} ({kernel.Refused}): {failure}");
            Check(kernel, done, step);
            if (kernel.Refused == null)
                break;
            Assert.True(step < 500, "The program does not end.");
        }

        Assert.InRange(step, 8, 499);
    }

    protected virtual void RunOn(CountingKernel kernel, DriverKind driver, Progress done)
        => TestLoop.Run(() => Program(done), new LoopOptions { Kernel = kernel, Driver = driver });

    /// <summary>How far the program came, by what it was told.</summary>
    protected sealed class Progress
    {
        internal bool Opened, Written, Grown, Read, Flushed, Closed;
        internal Exception? Failure;
        internal AsyncFile? File;
    }

    protected async Task Program(Progress done)
    {
        try
        {
            AsyncFile file = done.File = await AsyncFile.OpenAsync(_path, FileMode.Create, FileAccess.ReadWrite);
            done.Opened = true;
            await using (file)
            {
                byte[] data = [1, 2, 3, 4, 5, 6, 7, 8];
                await file.WriteAsync(data, 0);
                done.Written = true;
                await file.WriteAsync(new ReadOnlyMemory<byte>[] { data.AsMemory(0, 3), data.AsMemory(3) }, 8);
                done.Grown = true;
                byte[] read = new byte[16];
                Assert.Equal(16, await file.ReadAsync(read, 0));
                Assert.Equal([.. data, .. data], read);
                done.Read = true;
                for (int i = 0; i < 16; i++)
                    Assert.Equal(1, await file.ReadAsync(read.AsMemory(0, 1), i)); // enough for a place among the registered files
                Assert.Equal(16, (await file.GetStatusAsync()).Size);
                await file.FlushAsync();
                done.Flushed = true;
                await file.CloseAsync();
                done.Closed = true;
            }
        }
        catch (KernelException exception)
        {
            done.Failure = exception;
        }
    }

    private unsafe void Check(FaultyKernel kernel, Progress done, int step)
    {
        string what = $"step {step}, {kernel.Refused}";
        Assert.True(kernel.OpenNow.Count == 0, $"{what}: left open: {string.Join(", ", kernel.OpenNow)}");
        Assert.DoesNotContain(kernel.Faults, fault => !fault.EndsWith("result 0", StringComparison.Ordinal));
        if (done.File != null)
            Assert.True(done.File.FileDescriptor == -1, $"{what}: the file is open");
        if (ReferenceEquals(InnerKernel, Weir.Kernel.Linux))
            Assert.DoesNotContain(Directory.EnumerateFiles("/proc/self/fd"), fd => new FileInfo(fd).LinkTarget == _path);
        if (!done.Opened)
            return;
        fixed (byte* name = (byte[])[.. System.Text.Encoding.UTF8.GetBytes(_path), 0])
        {
            int fd = InnerKernel.Open(name, FileFlags.ReadOnly | FileFlags.CloseOnExec, 0);
            Assert.True(fd >= 0, what);
            byte[] content = new byte[32];
            int length = Read(fd, content);
            InnerKernel.Close(fd);
            Assert.True(!done.Written || (length >= 8 && content.AsSpan(0, 8).SequenceEqual((byte[])[1, 2, 3, 4, 5, 6, 7, 8])), $"{what}: what was written is not there");
            Assert.True(!done.Grown || length == 16, $"{what}: what was written is not there");
        }
    }

    public override unsafe void Dispose()
    {
        fixed (byte* name = (byte[])[.. System.Text.Encoding.UTF8.GetBytes(_path), 0])
            InnerKernel.Unlink(name);
        base.Dispose();
        GC.SuppressFinalize(this);
    }

    private sealed unsafe class FaultyKernel(Kernel inner, int step, Errno errno, bool withRing) : LedgerKernel(inner)
    {
        // Not these: a wake-up that is refused is lost, whoever writes it, and nobody asks what giving memory back returns.
        private static readonly string[] Spared = [nameof(ClockGetTime), nameof(Write), nameof(MUnmap), nameof(Close)];

        private int _step = step;

        internal string? Refused { get; private set; }

        protected override void OnCall(string call)
        {
            if (Spared.Contains(call) || (!withRing && call == nameof(IoUringSetup)))
                return;
            if (Interlocked.Decrement(ref _step) != -1)
                return;
            Refused = call;
            FailNext(call, errno);
        }

        public override int IoUringSetup(uint entries, IoUringParameters* parameters)
            => withRing ? base.IoUringSetup(entries, parameters) : -(int)Errno.ENOSYS;

        // close(2) frees the number whatever it says, so it is refused after the fact.
        public override int Close(int fd)
        {
            int result = base.Close(fd);
            if (Interlocked.Decrement(ref _step) != -1)
                return result;
            Refused = nameof(Close);
            return -(int)errno;
        }
    }
}
