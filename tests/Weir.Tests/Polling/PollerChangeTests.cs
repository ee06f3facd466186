using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Weir.Tests;

public sealed class PollerChangeTests : IDisposable
{
    private readonly TestDescriptors _fds = new();
    private readonly CountingKernel _kernel = new();
    private readonly Poller _poller;

    public PollerChangeTests() => _poller = new Poller(new PollerOptions { Kernel = _kernel });

    public void Dispose()
    {
        _poller.Dispose();
        _fds.Dispose();
    }

    [Fact]
    public void A_batch_tries_every_change_and_reports_each()
    {
        int first = _fds.EventFd(1);
        int second = _fds.EventFd(1);
        int never = _fds.PrivateDuplicate(first);
        _fds.Close(never);
        Errno[] results = new Errno[8];
        int failed = _poller.Apply(
            [
                PollerChange.Add(first, EpollEvents.In, key: 1),
                PollerChange.Add(first, EpollEvents.In, key: 2),
                PollerChange.Add(never, EpollEvents.In, key: 3),
                PollerChange.Modify(second, EpollEvents.In, key: 4),
                PollerChange.Add(second, EpollEvents.Pri, key: 5, PollerMode.Exclusive),
                PollerChange.Add(second, EpollEvents.In, key: 6, PollerMode.OneShot),
                PollerChange.Modify(first, EpollEvents.In, key: 7, PollerMode.OneShot),
                PollerChange.Remove(never),
            ],
            results);
        Assert.Equal(
            [Errno.None, Errno.EEXIST, Errno.EBADF, Errno.ENOENT, Errno.EINVAL, Errno.None, Errno.None, Errno.ENOENT],
            results);
        Assert.Equal(5, failed);
        Assert.Equal([7, 6], _poller.ReadyKeys());
        Assert.Equal(2, _poller.GetStatistics().Registrations);
    }

    [Fact]
    public void A_batch_takes_handles_and_reports_closed_ones()
    {
        (Socket left, Socket right) = ConnectedSockets();
        using (right)
        using (left)
        {
            SafeSocketHandle closed = new(nint.Zero - 1, ownsHandle: false);
            closed.Dispose();
            Errno[] results = new Errno[3];
            Assert.Equal(1, _poller.Apply(
                [
                    PollerChange.Add(left.SafeHandle, EpollEvents.Out, key: 1),
                    PollerChange.Modify(left.SafeHandle, EpollEvents.Out, key: 2),
                    PollerChange.Add(closed, EpollEvents.In, key: 3),
                ],
                results));
            Assert.Equal([Errno.None, Errno.None, Errno.EBADF], results);
            Assert.Equal([2], _poller.ReadyKeys());
            Assert.Equal(0, _poller.Apply([PollerChange.Remove(left.SafeHandle)], results));
        }
    }

    [Fact]
    public void A_batch_without_room_for_its_results_changes_nothing()
    {
        int fd = _fds.EventFd();
        Assert.Throws<ArgumentException>(() => _poller.Apply([PollerChange.Add(fd, EpollEvents.In, 1)], []));
        Assert.Equal(0, _poller.GetStatistics().Registrations);
    }

    [Fact]
    public void A_handle_is_as_good_as_its_number()
    {
        (Socket left, Socket right) = ConnectedSockets();
        using (right)
        using (left)
        {
            _poller.Add(left.SafeHandle, EpollEvents.In, key: 1);
            right.Send([1]);
            Assert.Equal(1, _poller.Wait(new PollerEvent[1]));
            _poller.Modify((int)left.Handle, EpollEvents.Out, key: 2);
            Assert.Equal([2], _poller.ReadyKeys());
            Assert.True(_poller.Remove(left.SafeHandle));
            Assert.False(_poller.Remove((int)left.Handle));
            Assert.Empty(_poller.Ready());
        }
    }

    [Fact]
    public void A_handle_is_not_kept_open_by_its_registration()
    {
        SafeFileHandle handle = new(Kernel.Linux.EventFd(1, EventFdFlags.CloseOnExec), ownsHandle: true);
        _poller.Add(handle, EpollEvents.In, key: 1);
        Assert.Equal([1], _poller.ReadyKeys());
        handle.Dispose(); // the last number of the file: the kernel forgets the registration (16)
        Assert.Empty(_poller.Ready());
        Assert.Throws<ObjectDisposedException>(() => _poller.Remove(handle));
        Assert.Throws<ObjectDisposedException>(() => _poller.Add(handle, EpollEvents.In, key: 1));
    }

    [Fact]
    public void Adding_twice_fails_and_leaves_the_first_as_it_was()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, key: 1);
        KernelException failure = Assert.Throws<KernelException>(() => _poller.Add(fd, EpollEvents.In, key: 2));
        Assert.Equal(Errno.EEXIST, failure.Errno);
        Assert.Equal(fd, failure.FileDescriptor);
        Assert.Contains("modify", failure.Message);
        Assert.Equal([1], _poller.ReadyKeys());
    }

    [Fact]
    public void A_modification_that_the_kernel_refuses_leaves_the_registration_as_it_was()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, key: 1);
        _kernel.FailNext(nameof(Kernel.EpollCtl), Errno.ENOMEM);
        Assert.Equal(Errno.ENOMEM, Assert.Throws<KernelException>(() => _poller.Modify(fd, EpollEvents.Out, key: 2)).Errno);
        Assert.Equal([1], _poller.ReadyKeys());
    }

    [Fact]
    public void Modifying_what_was_never_added_fails()
    {
        KernelException failure = Assert.Throws<KernelException>(() => _poller.Modify(_fds.EventFd(), EpollEvents.In, key: 1));
        Assert.Equal(Errno.ENOENT, failure.Errno);
        Assert.Contains("not registered", failure.Message);
    }

    [Fact]
    public void Files_that_cannot_be_polled_are_refused_with_advice()
    {
        using FileStream file = new(Path.GetTempFileName(), FileMode.Open, FileAccess.Read, FileShare.None, 1, FileOptions.DeleteOnClose);
        KernelException failure = Assert.Throws<KernelException>(() => _poller.Add(file.SafeFileHandle, EpollEvents.In, key: 1));
        Assert.Equal(Errno.EPERM, failure.Errno);
        Assert.Contains("regular files", failure.Message);
        Assert.Equal(0, _poller.GetStatistics().Registrations);
    }

    [Theory]
    [InlineData(EpollEvents.In, PollerMode.Exclusive | PollerMode.OneShot)]
    [InlineData(EpollEvents.In | EpollEvents.Pri, PollerMode.Exclusive)]
    [InlineData(EpollEvents.RdHup, PollerMode.Exclusive)]
    [InlineData(EpollEvents.In | EpollEvents.EdgeTriggered, PollerMode.Level)]
    [InlineData(EpollEvents.WakeUp, PollerMode.Level)]
    [InlineData(EpollEvents.In, (PollerMode)64)]
    public void Combinations_that_the_kernel_does_not_have_are_refused_before_it_is_asked(EpollEvents interest, PollerMode mode)
    {
        int fd = _fds.EventFd();
        _kernel.Reset();
        Assert.Throws<ArgumentException>(() => _poller.Add(fd, interest, key: 1, mode));
        Assert.Equal(0, _kernel.Total);
    }

    [Fact]
    public void Exclusive_registrations_cannot_be_modified_nor_made_by_modifying()
    {
        int exclusive = _fds.EventFd();
        int ordinary = _fds.EventFd();
        _poller.Add(exclusive, EpollEvents.In, key: 1, PollerMode.Exclusive);
        _poller.Add(ordinary, EpollEvents.In, key: 2);
        _kernel.Reset();
        Assert.Throws<ArgumentException>(() => _poller.Modify(exclusive, EpollEvents.In, key: 1));
        Assert.Throws<ArgumentException>(() => _poller.Modify(ordinary, EpollEvents.In, key: 2, PollerMode.Exclusive));
        Errno[] results = new Errno[2];
        _poller.Apply(
            [PollerChange.Modify(exclusive, EpollEvents.In, 1), PollerChange.Modify(ordinary, EpollEvents.In, 2, PollerMode.Exclusive)],
            results);
        Assert.Equal([Errno.EINVAL, Errno.EINVAL], results);
        Assert.Equal(0, _kernel.Total);
    }

    [Fact]
    public void Numbers_below_zero_and_handles_without_one_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _poller.Add(-1, EpollEvents.In, key: 1));
        Assert.Throws<ArgumentNullException>(() => _poller.Add(null!, EpollEvents.In, key: 1));
        Assert.Throws<ArgumentException>(() => _poller.Add(new SafeFileHandle(-1, false), EpollEvents.In, key: 1));
        Assert.False(_poller.Remove(-1));
    }

    [Fact]
    public void Keys_carry_all_64_bits()
    {
        int fd = _fds.EventFd(1);
        _poller.Add(fd, EpollEvents.In, nint.MinValue);
        Assert.Equal([nint.MinValue], _poller.ReadyKeys());
        _poller.Modify(fd, EpollEvents.In, nint.MaxValue);
        Assert.Equal([nint.MaxValue], _poller.ReadyKeys());
    }

    private static (Socket Left, Socket Right) ConnectedSockets()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        listener.Listen();
        Socket right = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        right.Connect(listener.LocalEndPoint!);
        return (listener.Accept(), right);
    }
}
