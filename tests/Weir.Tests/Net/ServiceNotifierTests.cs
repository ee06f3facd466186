using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Net;

namespace Weir.Tests;

/// <summary>What a service manager is told, read from a datagram socket in its place.</summary>
public class ServiceNotifierTests : NetTestBase
{
    private unsafe int Manager(EndPoint at)
    {
        RawSocketAddress address = RawSocketAddress.From(at);
        int fd = Door.Socket(SocketDomain.Unix, SocketKind.Datagram, 0);
        Assert.Equal(0, InnerKernel.Bind(fd, address.Pointer, address.Length));
        return fd;
    }

    private unsafe string? Told(int manager)
    {
        byte* buffer = stackalloc byte[1000];
        nint count = InnerKernel.Receive(manager, buffer, 1000, MessageFlags.DontWait);
        return count < 0 ? null : Encoding.UTF8.GetString(buffer, (int)count);
    }

    private ServiceNotifier Notifier(string? socket, string? watchdog = null, string? watched = null)
        => ServiceNotifier.Read(Door, 77, name => name switch
        {
            "NOTIFY_SOCKET" => socket,
            "WATCHDOG_USEC" => watchdog,
            "WATCHDOG_PID" => watched,
            _ => null,
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Each_message_is_a_datagram_of_assignments(bool isAbstract) => Run(() =>
    {
        UnixDomainSocketEndPoint at = isAbstract ? NewAbstractName() : new UnixDomainSocketEndPoint(NewPath());
        int manager = Manager(at);
        ServiceNotifier notifier = Notifier(at.ToString()); // "@name" for an abstract one
        Assert.True(notifier.IsActive);
        Assert.Equal(TimeSpan.Zero, notifier.WatchdogInterval);
        Assert.True(notifier.Ready());
        Assert.True(notifier.Ready("listening"));
        Assert.True(notifier.Status("37 connections"));
        Assert.True(notifier.Watchdog());
        Assert.True(notifier.Stopping());
        Assert.True(notifier.Notify("X=1\nY=2"));
        Assert.Equal(["READY=1", "READY=1\nSTATUS=listening", "STATUS=37 connections", "WATCHDOG=1", "STOPPING=1", "X=1\nY=2"], Enumerable.Range(0, 6).Select(_ => Told(manager)));
        Assert.Throws<ArgumentException>(() => notifier.Status("two\nlines"));
        Assert.Throws<ArgumentException>(() => notifier.Notify(""));
        Assert.Null(Told(manager));
        Door.Close(manager);
        return Task.CompletedTask;
    });

    [Fact]
    public void Without_a_manager_nothing_happens_and_without_room_it_says_so() => Run(() =>
    {
        ServiceNotifier none = Notifier(null, "1000");
        Assert.False(none.IsActive);
        Assert.False(none.Ready());
        Assert.Equal(TimeSpan.Zero, none.WatchdogInterval);
        Assert.Equal(0, Door.Count(nameof(Kernel.Socket)));

        Assert.False(Notifier("@weir-nobody-is-here").Ready());
        UnixDomainSocketEndPoint at = NewAbstractName();
        int manager = Manager(at), sent = 0;
        ServiceNotifier notifier = Notifier(at.ToString());
        while (notifier.Watchdog())
            sent++;
        Assert.True(sent > 0);
        while (Told(manager) != null)
            sent--;
        Assert.Equal(0, sent);
        Assert.True(notifier.Watchdog());
        Door.Close(manager);
        return Task.CompletedTask;
    });

    [Fact]
    public void A_loop_says_that_it_is_alive_twice_in_each_interval() => Run(async () =>
    {
        UnixDomainSocketEndPoint at = NewAbstractName();
        int manager = Manager(at);
        ServiceNotifier notifier = Notifier(at.ToString(), "20000", "77");
        Assert.Equal(TimeSpan.FromMilliseconds(20), notifier.WatchdogInterval);
        using var cancellation = new CancellationTokenSource();
        long start = InnerKernel.ClockGetTime(ClockId.Monotonic);
        Task running = notifier.RunWatchdogAsync(cancellation.Token);
        await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(45));
        cancellation.Cancel();
        await running;
        int told = 0;
        for (; Told(manager) is { } text; told++)
            Assert.Equal("WATCHDOG=1", text);
        Assert.InRange(told, 2, 1 + (InnerKernel.ClockGetTime(ClockId.Monotonic) - start) / 10_000_000);
        Assert.Equal(TimeSpan.Zero, Notifier("@x", "20000", "78").WatchdogInterval); // another is watched
        await Notifier(at.ToString()).RunWatchdogAsync(default);
        Door.Close(manager);
    });

    [Theory]
    [InlineData("relative/path", null)]
    [InlineData("@", null)]
    [InlineData("vsock:2:1234", null)]
    [InlineData("@x", "soon")]
    public void Variables_that_make_no_sense_are_told(string socket, string? watchdog)
        => Assert.Throws<InvalidOperationException>(() => Notifier(socket, watchdog));
}
