using System.Runtime.InteropServices;

namespace Weir.Tests;

/// <summary>The structs as the kernel itself reads and writes them.</summary>
public sealed unsafe class KernelLayoutTests : IDisposable
{
    private readonly TestDescriptors _fds = new();

    public void Dispose() => _fds.Dispose();

    [Fact]
    public void Epoll_events_come_back_from_the_kernel_as_they_were_written()
    {
        Kernel kernel = Kernel.Linux;
        int set = _fds.Keep(kernel.EpollCreate1(FileFlags.CloseOnExec));
        ulong[] data = [0x0123_4567_89AB_CDEF, ulong.MaxValue, 0x8000_0000_0000_0001];
        byte* entry = stackalloc byte[16];
        foreach (ulong value in data)
        {
            EpollEventLayout.Set(entry, 0, EpollEvents.In, value);
            Assert.Equal(0, kernel.EpollCtl(set, EpollOp.Add, _fds.EventFd(1), entry));
        }

        // Guarded at both ends: the kernel writes exactly three entries of the stated size.
        int size = EpollEventLayout.Size;
        byte* events = stackalloc byte[5 * size];
        new Span<byte>(events, 5 * size).Fill(0xA5);
        Assert.Equal(3, kernel.EpollWait(set, events + size, 3, 0));
        for (int i = 0; i < data.Length; i++)
        {
            Assert.Equal(EpollEvents.In, EpollEventLayout.Events(events, i + 1));
            Assert.Equal(data[i], EpollEventLayout.Data(events, i + 1));
        }

        Assert.Equal(-1, new ReadOnlySpan<byte>(events, size).IndexOfAnyExcept((byte)0xA5));
        Assert.Equal(-1, new ReadOnlySpan<byte>(events + 4 * size, size).IndexOfAnyExcept((byte)0xA5));
    }

    [Fact]
    public void Epoll_events_are_packed_on_x64_only()
        => Assert.Equal(RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16, EpollEventLayout.Size);

    [Fact]
    public void Setting_an_entry_touches_no_other()
    {
        byte* entries = stackalloc byte[3 * EpollEventLayout.Size];
        new Span<byte>(entries, 3 * EpollEventLayout.Size).Clear();
        EpollEventLayout.Set(entries, 1, (EpollEvents)uint.MaxValue, ulong.MaxValue);
        Assert.Equal((EpollEvents.None, 0ul), (EpollEventLayout.Events(entries, 0), EpollEventLayout.Data(entries, 0)));
        Assert.Equal(((EpollEvents)uint.MaxValue, ulong.MaxValue), (EpollEventLayout.Events(entries, 1), EpollEventLayout.Data(entries, 1)));
        Assert.Equal((EpollEvents.None, 0ul), (EpollEventLayout.Events(entries, 2), EpollEventLayout.Data(entries, 2)));
    }

    [Fact]
    public void Structs_have_the_sizes_of_the_64_bit_ABI()
    {
        Assert.Equal(16, sizeof(IoVector));
        Assert.Equal(16, sizeof(TimeSpec));
        Assert.Equal(32, sizeof(TimerSpec));
        Assert.Equal(8, sizeof(PollEntry));
        Assert.Equal(56, sizeof(MessageHeader));
        Assert.Equal(128, RawSocketAddress.Capacity);
    }

    [Fact]
    public void A_timer_keeps_its_interval_and_value_apart()
    {
        int timer = _fds.Keep(Kernel.Linux.TimerFdCreate(ClockId.Monotonic));
        TimerSpec set = new() { Interval = new TimeSpec { Seconds = 7 }, Value = new TimeSpec { Seconds = 3600, Nanoseconds = 5 } };
        Assert.Equal(0, Kernel.Linux.TimerFdSetTime(timer, &set, TimerFdSetFlags.None));
        TimerSpec read;
        Assert.Equal(0, Kernel.Linux.TimerFdGetTime(timer, &read));
        Assert.Equal(7_000_000_000, read.Interval.ToNanoseconds());
        Assert.InRange(read.Value.ToNanoseconds(), 3_590_000_000_000, 3_600_000_000_005);
    }

    [Fact]
    public void Signals_are_numbered_from_the_lowest_bit()
    {
        const int User2 = 12;
        // A thread of its own: what it blocks, and what is pending when it ends, ends with it.
        TestLoop.Guard(() =>
        {
            ulong* user2 = stackalloc ulong[16] { 1ul << (User2 - 1), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
            Assert.Equal(0, pthread_sigmask(0, user2, null));
            int fd = _fds.Keep(Kernel.Linux.SignalFd(-1, 1ul << (User2 - 1)));
            byte* record = stackalloc byte[256];
            Assert.Equal(-(int)Errno.EAGAIN, (int)Kernel.Linux.Read(fd, record, 256));
            Assert.Equal(0, pthread_kill(pthread_self(), User2));
            Assert.Equal(fd, Kernel.Linux.SignalFd(fd, 1ul << User2)); // another signal's bit: this one does not come this way now
            Assert.Equal(-(int)Errno.EAGAIN, (int)Kernel.Linux.Read(fd, record, 256));
            Assert.Equal(fd, Kernel.Linux.SignalFd(fd, 1ul << (User2 - 1)));
            Assert.Equal(128, (int)Kernel.Linux.Read(fd, record, 256));
            Assert.Equal(User2, *(int*)record);
            return 0;
        });
    }

#pragma warning disable IDE1006 // libc's names
    [DllImport("libc")]
    private static extern int pthread_sigmask(int how, ulong* set, ulong* old);

    [DllImport("libc")]
    private static extern int pthread_kill(nint thread, int signal);

    [DllImport("libc")]
    private static extern nint pthread_self();
#pragma warning restore IDE1006

    [Fact]
    public void Poll_entries_are_filled_in()
    {
        PollEntry* entries = stackalloc PollEntry[2];
        entries[0] = new PollEntry { Descriptor = -1, Events = (short)EpollEvents.In };
        entries[1] = new PollEntry { Descriptor = _fds.EventFd(1), Events = (short)(EpollEvents.In | EpollEvents.Out) };
        Assert.Equal(1, Kernel.Linux.Poll(entries, 2, 0));
        Assert.Equal(0, entries[0].Returned);
        Assert.Equal((short)(EpollEvents.In | EpollEvents.Out), entries[1].Returned);
    }

    [Fact]
    public void Messages_are_gathered_and_scattered()
    {
        (int left, int right) = _fds.SocketPair();
        byte* text = stackalloc byte[6] { 1, 2, 3, 4, 5, 6 };
        IoVector* two = stackalloc IoVector[2];
        two[0] = new IoVector { Base = text, Length = 2 };
        two[1] = new IoVector { Base = text + 2, Length = 4 };
        MessageHeader message = new() { Vectors = two, VectorCount = 2 };
        Assert.Equal(6, (int)Kernel.Linux.SendMessage(left, &message, MessageFlags.NoSignal));
        byte* received = stackalloc byte[6];
        two[0] = new IoVector { Base = received, Length = 5 };
        two[1] = new IoVector { Base = received + 5, Length = 1 };
        message = new MessageHeader { Vectors = two, VectorCount = 2 };
        Assert.Equal(6, (int)Kernel.Linux.ReceiveMessage(right, &message, MessageFlags.None));
        Assert.Equal([1, 2, 3, 4, 5, 6], new ReadOnlySpan<byte>(received, 6).ToArray());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(999_999_999)]
    [InlineData(1_000_000_000)]
    [InlineData(long.MaxValue)]
    public void Nanoseconds_survive_being_split(long nanoseconds)
    {
        TimeSpec split = TimeSpec.FromNanoseconds(nanoseconds);
        Assert.InRange(split.Nanoseconds, 0, 999_999_999);
        Assert.Equal(nanoseconds, split.ToNanoseconds());
    }
}
