using Microsoft.Win32.SafeHandles;

namespace Weir.Tests;

/// <summary>Lent descriptors that are closed, announced or not, and watchers that are disposed, while somebody waits.</summary>
public abstract class FdWatcherClosingTests : LoopTests
{
    protected abstract FdWatcher Watch(int fd);

    [Fact]
    public void Who_says_that_he_is_closing_ends_the_waits_of_both_directions()
        => Run(async loop =>
        {
            (int left, _) = SocketPair();
            Fill(left);
            using FdWatcher reader = Watch(left), writer = Watch(left);
            ValueTask readable = reader.WaitReadableAsync(), writable = writer.WaitWritableAsync();
            await Settle();
            reader.NotifyClosing();
            Close(left);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await readable);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await writable);
            Assert.Equal(0, loop.Statistics.Descriptors);
        });

    [Fact]
    public void Closing_announced_by_number_reaches_the_waits()
        => Run(async loop =>
        {
            (int left, int _) = SocketPair();
            using FdWatcher watcher = Watch(left);
            ValueTask readable = watcher.WaitReadableAsync();
            FdWatcher.NotifyClosing(left);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await readable);
            // It was not closed after all: the next wait is a new one.
            await watcher.WaitWritableAsync();
        });

    [Fact]
    public void To_announce_the_closing_of_what_nobody_waits_for_does_nothing()
        => Run(async loop =>
        {
            (int left, int _) = SocketPair();
            using FdWatcher watcher = Watch(left);
            watcher.NotifyClosing();
            FdWatcher.NotifyClosing(left);
            FdWatcher.NotifyClosing(-1);
            FdWatcher.NotifyClosing(int.MaxValue);
            await watcher.WaitWritableAsync();
        });

    [Theory]
    [InlineData("announced")]
    [InlineData("disposed")]
    [InlineData("cancelled")]
    public void A_wait_that_has_succeeded_ends_all_the_same_if_its_caller_has_not_been_told_yet(string how)
        => Run(async loop =>
        {
            int first = EventFd(), living = EventFd(), number = PrivateDuplicate(living), stranger = EventFd(7);
            using FdWatcher earlier = Watch(first), lent = Watch(number);
            using var cancellation = new CancellationTokenSource();
            ValueTask earlierWait = earlier.WaitReadableAsync();
            ValueTask<int> read = lent.WaitAndReadAsync(new byte[8], cancellation.Token);
            await Settle();
            Signal(first);
            Signal(living);
            await earlierWait; // the events of both have come by now
            if (how == "announced")
                FdWatcher.NotifyClosing(number);
            else if (how == "disposed")
                lent.Dispose();
            else
                cancellation.Cancel();
            Close(number);
            Assert.Equal(number, Keep(InnerKernel.Dup3(stranger, number, FileFlags.CloseOnExec)));
            Exception ended = await Assert.ThrowsAnyAsync<Exception>(async () => await read);
            Assert.IsAssignableFrom(how == "cancelled" ? typeof(OperationCanceledException) : typeof(ObjectDisposedException), ended);
            Assert.Equal(7ul, Drain(stranger));
        });

    [Fact]
    public void A_wait_survives_an_unannounced_close_and_can_be_cancelled()
        => Run(async loop =>
        {
            int original = EventFd(), fd = PrivateDuplicate(original);
            Close(original);
            using FdWatcher watcher = Watch(fd);
            using var cancellation = new CancellationTokenSource();
            ValueTask wait = watcher.WaitReadableAsync(cancellation.Token);
            await Settle();
            Close(fd);
            await Settle();
            Assert.False(wait.IsCompleted);
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await wait);
            Assert.Equal(0, loop.Statistics.Descriptors);
        });

    [Fact]
    public virtual void A_wait_survives_the_close_of_a_descriptor_whose_duplicate_lives()
        => Run(async loop =>
        {
            int living = EventFd(), fd = PrivateDuplicate(living);
            using FdWatcher watcher = Watch(fd);
            using var cancellation = new CancellationTokenSource();
            ValueTask wait = watcher.WaitReadableAsync(cancellation.Token);
            await Settle();
            Close(fd);
            cancellation.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await wait);
            // The registration could not be removed. It fires once, into nothing, and is switched off.
            Signal(living);
            await Settle();
            Signal(living);
            await Settle();
            Assert.Equal(1, loop.Statistics.GhostEvents);
        });

    [Fact]
    public virtual void Two_waits_survive_an_unannounced_close_and_are_cancelled_one_after_the_other()
        => Run(async loop =>
        {
            (int left, _) = SocketPair();
            Fill(left);
            int fd = PrivateDuplicate(left);
            using FdWatcher watcher = Watch(fd);
            using CancellationTokenSource first = new(), second = new();
            ValueTask readable = watcher.WaitReadableAsync(first.Token), writable = watcher.WaitWritableAsync(second.Token);
            await Settle();
            Close(fd);
            first.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await readable);
            second.Cancel();
            // To watch on for one direction the kernel had to be asked, and it knows the number no more.
            Assert.Equal(Errno.EBADF, (await Assert.ThrowsAsync<KernelException>(async () => await writable)).Errno);
            Assert.Equal(0, loop.Statistics.Descriptors);
        });

    [Fact]
    public virtual void Two_waits_survive_an_unannounced_close_with_traffic_through_the_duplicate()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            Fill(left);
            int fd = PrivateDuplicate(left);
            using FdWatcher watcher = Watch(fd);
            using var cancellation = new CancellationTokenSource();
            ValueTask readable = watcher.WaitReadableAsync(cancellation.Token), writable = watcher.WaitWritableAsync(cancellation.Token);
            await Settle();
            Close(fd);
            Write(right, [1]);
            await readable; // the file behind the number is alive, and its events are reported
            cancellation.Cancel();
            Assert.Equal(Errno.EBADF, (await Assert.ThrowsAsync<KernelException>(async () => await writable)).Errno);
            // The loop is well.
            (int read, int write) = Pipe();
            using FdWatcher healthy = Watch(read);
            ValueTask wait = healthy.WaitReadableAsync();
            Write(write, [1]);
            await wait;
        });

    [Fact]
    public void Disposing_a_watcher_ends_its_waits_and_nobody_elses()
        => Run(async loop =>
        {
            (int left, int right) = SocketPair();
            Fill(left);
            FdWatcher disposed = Watch(left);
            using FdWatcher other = Watch(left);
            ValueTask readable = disposed.WaitReadableAsync(), writable = other.WaitWritableAsync();
            disposed.Dispose();
            disposed.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await readable);
            Assert.Throws<ObjectDisposedException>(() => { _ = disposed.WaitReadableAsync(); });
            Assert.False(writable.IsCompleted);
            Empty(right);
            await writable;
        });

    [Theory]
    [InlineData("dispose")]
    [InlineData("cancel")]
    [InlineData("close")]
    public virtual void A_wait_given_up_does_no_harm_to_the_next_owner_of_its_number(string how)
        => Run(async loop =>
        {
            int living = EventFd(), number = PrivateDuplicate(living);
            FdWatcher watcher = Watch(number);
            using var cancellation = new CancellationTokenSource();
            ValueTask wait = watcher.WaitReadableAsync(cancellation.Token);
            await Settle();
            if (how == "dispose")
                watcher.Dispose();
            else if (how == "cancel")
                cancellation.Cancel();
            Close(number);

            // In the same breath the number becomes a descriptor of this loop's own.
            int signal = EventFd();
            Assert.Equal(number, InnerKernel.Dup3(signal, number, FileFlags.CloseOnExec));
            using var owned = new FdWatcher(number, FdOwnership.Owned, EpollEvents.In);
            await Assert.ThrowsAnyAsync<Exception>(async () => await wait);
            watcher.Dispose();
            for (int i = 0; i < 3; i++)
            {
                ValueTask<int> read = owned.WaitAndReadAsync(new byte[8]);
                await Settle();
                Assert.False(read.IsCompleted);
                Signal(signal);
                Assert.Equal(8, await read);
            }

            Signal(living);
            await Settle();
            Assert.Equal(how == "close" ? 1 : 0, loop.Statistics.GhostEvents);
        });
}

public class FdWatcherClosingByNumberTests : FdWatcherClosingTests
{
    protected override FdWatcher Watch(int fd) => new(fd);
}

public class FdWatcherClosingByHandleTests : FdWatcherClosingTests
{
    protected override FdWatcher Watch(int fd) => new(new SafeFileHandle(fd, ownsHandle: false));
}
