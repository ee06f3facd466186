using System.Text;

namespace Weir.Tests;

/// <summary>Pseudo-terminals of the real kernel: what is written to one side is typed at the other.</summary>
public class TerminalTests : LoopTests
{
    private const int ReadWrite = 2, NoControllingTerminal = 0x100, CloseOnExec = 0x80000;

    private unsafe (int Master, int Slave) Pair()
    {
        const uint SetLock = 0x40045431, GetPeer = 0x5441; // TIOCSPTLCK, TIOCGPTPEER
        int master;
        fixed (byte* path = "/dev/ptmx\0"u8)
            master = Keep(InnerKernel.Open(path, FileFlags.ReadWrite | FileFlags.CloseOnExec | (FileFlags)NoControllingTerminal, 0));
        int locked = 0;
        Assert.Equal(0, InnerKernel.Ioctl(master, SetLock, &locked));
        return (master, Keep(InnerKernel.Ioctl(master, GetPeer, (void*)(ReadWrite | NoControllingTerminal | CloseOnExec))));
    }

    private bool IsNonBlocking(int fd) => (InnerKernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0) & (int)FileFlags.NonBlock) != 0;

    private unsafe byte[] Attributes(int fd)
    {
        byte[] attributes = new byte[36];
        fixed (byte* first = attributes)
            Assert.Equal(0, InnerKernel.Ioctl(fd, 0x5401, first));
        return attributes;
    }

    private static byte[] Bytes(string text) => Encoding.ASCII.GetBytes(text);

    private void Type(int master, string text) => Assert.Equal(text.Length, Write(master, Bytes(text)));

    // Reading blocks: what is asked for is there, or comes without us.
    private string Shown(int master, int count)
    {
        byte[] buffer = new byte[count];
        int total = 0;
        while (total < count)
            total += Read(master, buffer.AsSpan(total));
        return Encoding.ASCII.GetString(buffer);
    }

    [Fact]
    public void A_line_is_read_when_it_is_whole_and_the_shared_description_stays_blocking() => Run(async loop =>
    {
        (int master, int slave) = Pair();
        using Terminal terminal = Terminal.FromDescriptor(slave);
        Assert.True(terminal.HasOwnDescription);
        Assert.NotEqual(slave, terminal.FileDescriptor);
        Assert.False(IsNonBlocking(slave));
        Assert.True(IsNonBlocking(terminal.FileDescriptor));
        byte[] buffer = new byte[100];
        ValueTask<int> read = terminal.ReadAsync(buffer);
        Assert.Throws<BusyResourceException>(() => { _ = terminal.ReadAsync(buffer).AsTask().GetAwaiter().GetResult(); });
        Type(master, "hal");
        await Settle();
        Assert.False(read.IsCompleted);
        Type(master, "lo\n");
        Assert.Equal("hallo\n", Encoding.ASCII.GetString(buffer, 0, await read));
        Assert.Equal("hallo\r\n", Shown(master, 7)); // the echo
        await terminal.WriteAsync(Bytes("out\n"));
        Assert.Equal("out\r\n", Shown(master, 5));
        Type(master, "\u0004"); // Ctrl+D
        Assert.Equal(0, await terminal.ReadAsync(buffer));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Raw_mode_gives_what_is_typed_and_goes_with_the_terminal(bool leave) => Run(async loop =>
    {
        (int master, int slave) = Pair();
        byte[] before = Attributes(slave);
        var terminal = Terminal.FromDescriptor(slave);
        terminal.EnterRawMode();
        terminal.EnterRawMode(); // once more changes nothing
        Assert.NotEqual(before, Attributes(slave));
        byte[] buffer = new byte[100];
        ValueTask read = terminal.ReadExactlyAsync(buffer.AsMemory(0, 2));
        Type(master, "\u0003\r");
        await read;
        Assert.Equal("\u0003\r", Encoding.ASCII.GetString(buffer, 0, 2));
        await terminal.WriteAsync(Bytes("out\n"));
        Assert.Equal("out\n", Shown(master, 4)); // nothing was echoed before it
        if (leave)
        {
            terminal.LeaveRawMode();
            Assert.Equal(before, Attributes(slave));
        }

        terminal.Dispose();
        terminal.Dispose();
        Assert.Equal(before, Attributes(slave));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => terminal.ReadAsync(buffer).AsTask());
    });

    [Fact]
    public void Raw_mode_goes_with_the_loop()
    {
        (int master, int slave) = Pair();
        byte[] before = Attributes(slave);
        Run(loop =>
        {
            Terminal.FromDescriptor(slave).EnterRawMode();
            return Task.CompletedTask;
        });
        Assert.Equal(before, Attributes(slave));
    }

    [Fact]
    public void The_size_of_the_window_is_read_and_set() => Run(loop =>
    {
        (int master, int slave) = Pair();
        using Terminal outer = Terminal.FromDescriptor(master), inner = Terminal.FromDescriptor(slave);
        outer.WindowSize = (25, 80);
        Assert.Equal((25, 80), inner.WindowSize);
        inner.WindowSize = (50, 132);
        Assert.Equal((50, 132), outer.WindowSize);
        Assert.Throws<ArgumentOutOfRangeException>(() => outer.WindowSize = (-1, 80));
        return Task.CompletedTask;
    });

    [Fact]
    public void A_master_is_used_as_it_is_and_never_made_non_blocking() => Run(async loop =>
    {
        (int master, int slave) = Pair();
        using Terminal outer = Terminal.FromDescriptor(master), inner = Terminal.FromDescriptor(slave);
        Assert.False(outer.HasOwnDescription);
        Assert.Equal(master, outer.FileDescriptor);
        inner.EnterRawMode();
        byte[] sent = new byte[1 << 18], received = new byte[sent.Length];
        Random.Shared.NextBytes(sent);
        Task writing = inner.WriteAsync(sent).AsTask();
        await outer.ReadExactlyAsync(received);
        await writing;
        Assert.Equal(sent, received);

        writing = outer.WriteAsync(sent.AsMemory(0, 10_000)).AsTask();
        await inner.ReadExactlyAsync(received.AsMemory(0, 10_000));
        await writing;
        Assert.Equal(sent[..10_000], received[..10_000]);
        Assert.False(IsNonBlocking(master));
    });

    [Fact]
    public void The_end_of_the_other_side_is_the_end() => Run(async loop =>
    {
        (int master, int slave) = Pair();
        using Terminal outer = Terminal.FromDescriptor(master), inner = Terminal.FromDescriptor(slave);
        await inner.WriteAsync(Bytes("last"));
        byte[] buffer = new byte[100];
        Assert.Equal(4, await outer.ReadAsync(buffer));
        ValueTask<int> read = outer.ReadAsync(buffer);
        inner.Dispose();
        Close(slave);
        Assert.Equal(0, await read);

        (int secondMaster, int second) = Pair();
        using Terminal left = Terminal.FromDescriptor(second);
        read = left.ReadAsync(buffer);
        Close(secondMaster);
        Assert.Equal(0, await read);
        Assert.Equal(Errno.EIO, (await Assert.ThrowsAsync<KernelException>(async () => await left.WriteAsync(buffer))).Errno);
    });

    [Fact]
    public void A_read_is_cancelled_and_the_next_one_is_well() => Run(async loop =>
    {
        (int master, int slave) = Pair();
        using Terminal terminal = Terminal.FromDescriptor(slave);
        using var cancellation = new CancellationTokenSource();
        byte[] buffer = new byte[100];
        Task<int> read = terminal.ReadAsync(buffer, cancellation.Token).AsTask();
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        Type(master, "x\n");
        Assert.Equal(2, await terminal.ReadAsync(buffer));
        read = terminal.ReadAsync(buffer).AsTask();
        terminal.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => read);
    });

    [Fact]
    public void What_is_no_terminal_is_refused() => Run(loop =>
    {
        (int read, _) = Pipe();
        Assert.False(Terminal.IsTerminal(read));
        Assert.True(Terminal.IsTerminal(Pair().Slave));
        Assert.Equal(Errno.ENOTTY, Assert.Throws<KernelException>(() => Terminal.FromDescriptor(read)).Errno);
        return Task.CompletedTask;
    });

    [Theory]
    [InlineData(nameof(Weir.Kernel.Open), true)]
    [InlineData(nameof(Weir.Kernel.EpollCtl), false)]
    public virtual void Where_it_cannot_be_opened_anew_the_callers_descriptor_serves(string call, bool serves) => Run(async loop =>
    {
        (int master, int slave) = Pair();
        long opened = Kernel.Count(nameof(Weir.Kernel.Open)), closed = Kernel.Count(nameof(Weir.Kernel.Close));
        Kernel.FailNext(call, Errno.EACCES);
        if (!serves)
        {
            Assert.Throws<KernelException>(() => Terminal.FromDescriptor(slave));
            Assert.Equal(1, Kernel.Count(nameof(Weir.Kernel.Close)) - closed);
            return;
        }

        using Terminal terminal = Terminal.FromDescriptor(slave);
        Assert.False(terminal.HasOwnDescription);
        byte[] buffer = new byte[10];
        ValueTask<int> read = terminal.ReadAsync(buffer);
        await Settle();
        Assert.False(read.IsCompleted);
        Type(master, "a\n");
        Assert.Equal(2, await read);
        await terminal.WriteAsync(buffer.AsMemory(0, 1));
        Assert.Equal("a\r\na", Shown(master, 4));
        Assert.False(IsNonBlocking(slave));
    });
}
