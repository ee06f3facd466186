namespace Weir.Tests;

/// <summary>How FileWatcher is used, and what goes wrong.</summary>
public class FileWatcherUseTests : FileWatcherTestBase
{
    [Fact]
    public void Cancelling_a_read_loses_nothing_and_a_second_reader_is_refused()
        => RunIn(async (folder, _) =>
        {
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            var changes = new FileChange[4];
            using var cancellation = new CancellationTokenSource();
            Task<int> read = watcher.ReadAsync(changes, cancellation.Token).AsTask();
            await Settle();
            Assert.False(read.IsCompleted);
            await Assert.ThrowsAsync<BusyResourceException>(async () => await watcher.ReadAsync(changes));
            cancellation.Cancel();
            OperationCanceledException end = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
            Assert.Equal(cancellation.Token, end.CancellationToken);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await watcher.ReadAsync(changes, cancellation.Token));
            Files.Touch($"{folder}/f");
            Assert.Equal(["Created f", "CloseWrite f"], await Told(watcher, folder));
            await Assert.ThrowsAsync<ArgumentException>(async () => await watcher.ReadAsync(default));
        });

    [Fact]
    public void A_small_buffer_gets_the_changes_one_after_another()
        => RunIn(async (folder, _) =>
        {
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            Files.Write($"{folder}/f", 1);
            var change = new FileChange[1];
            foreach (FileChangeKind kind in (FileChangeKind[])[FileChangeKind.Created, FileChangeKind.Modified, FileChangeKind.CloseWrite])
            {
                Assert.Equal(1, await watcher.ReadAsync(change));
                Assert.Equal(new FileChange(kind, $"{folder}/f", false), change[0]);
            }
        });

    [Fact]
    public void With_no_limit_for_moves_a_half_waits_until_something_else_happens()
        => RunIn(async (folder, _) =>
        {
            Files.MakeDirectory($"{folder}/in");
            Files.Touch($"{folder}/in/f");
            using FileWatcher watcher = await FileWatcher.OpenAsync($"{folder}/in", new FileWatcherOptions { MoveTimeout = TimeSpan.MaxValue });
            Files.Rename($"{folder}/in/f", $"{folder}/f");
            var change = new FileChange[1];
            Task<int> read = watcher.ReadAsync(change).AsTask();
            await Settle();
            Assert.False(read.IsCompleted);
            Files.Touch($"{folder}/in/g");
            Assert.Equal(1, await read);
            Assert.Equal(new FileChange(FileChangeKind.Deleted, $"{folder}/in/f", false), change[0]);
        });

    [Fact]
    public void Disposing_ends_a_read_and_the_watches()
        => RunIn(async (folder, kernel) =>
        {
            FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            Task<int> read = watcher.ReadAsync(new FileChange[1]).AsTask();
            await Settle();
            watcher.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => read);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await watcher.ReadAsync(new FileChange[1]));
            watcher.Dispose();
            Assert.Equal(1, kernel.Count(nameof(Weir.Kernel.InotifyInit)));
            Assert.DoesNotContain(kernel.OpenNow, fd => fd.EndsWith(nameof(Weir.Kernel.InotifyInit)));
        });

    [Fact]
    public void The_end_of_the_loop_closes_it()
    {
        FileWatcher? watcher = null;
        RunIn(async (folder, _) => watcher = await FileWatcher.OpenAsync(folder, Everything)); // the ledger is looked at afterwards
        watcher!.Dispose();
    }

    [ThreadedFact]
    public void A_reader_that_has_given_way_when_the_loop_stops_reads_no_more()
    {
        Task<int>? read = null;
        RunIn(async (folder, _) =>
        {
            EventLoop loop = EventLoop.Current!;
            FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            loop.DisposeAtEnd(new Last(() =>
            {
                loop.Queue.Spend(int.MaxValue);
                read ??= watcher.ReadAsync(new FileChange[1]).AsTask();
            }));
        });
        Assert.Throws<ObjectDisposedException>(() => TestLoop.Within(read!));
    }

    /// <summary>What happens last of all on a loop.</summary>
    private sealed class Last(Action action) : IDisposable
    {
        public void Dispose() => action();
    }

    [ThreadedFact]
    public void Members_are_for_the_thread_of_the_loop()
    {
        FileWatcher? watcher = null;
        RunIn(async (folder, _) =>
        {
            watcher = await FileWatcher.OpenAsync(folder, Everything);
            Task elsewhere = OnThread(() =>
            {
                Assert.Throws<InvalidOperationException>(() => watcher.ReadAsync(new FileChange[1]).AsTask().GetAwaiter().GetResult());
                Assert.Throws<InvalidOperationException>(watcher.Dispose);
            });
            while (!elsewhere.IsCompleted)
                await EventLoop.Yield();
            await elsewhere;
            watcher.Dispose();
        });
    }

    [Fact]
    public void A_path_that_is_not_there_is_refused()
        => RunIn(async (folder, _) =>
        {
            KernelException failure = await Assert.ThrowsAsync<KernelException>(() => FileWatcher.OpenAsync($"{folder}/no"));
            Assert.Equal(Errno.ENOENT, failure.Errno);
            Assert.Contains($"{folder}/no", failure.Message);
            await Assert.ThrowsAsync<ArgumentException>(() => FileWatcher.OpenAsync(""));
            await Assert.ThrowsAsync<ArgumentException>(() => FileWatcher.OpenAsync("a\0b"));
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
                () => FileWatcher.OpenAsync(folder, new FileWatcherOptions { MoveTimeout = TimeSpan.FromSeconds(-1) }));
        });

    [Theory]
    [InlineData(nameof(Weir.Kernel.InotifyInit), Errno.EMFILE, "fs.inotify.max_user_instances")]
    [InlineData(nameof(Weir.Kernel.InotifyAddWatch), Errno.ENOSPC, "fs.inotify.max_user_watches")]
    [InlineData(nameof(Weir.Kernel.Open), Errno.EMFILE, "ulimit -n")]
    [InlineData(nameof(Weir.Kernel.EpollCtl), Errno.ENOSPC, "fs.epoll.max_user_watches")]
    public void A_limit_that_is_reached_is_named_and_nothing_is_left_open(string call, Errno errno, string what)
        => RunIn(async (folder, kernel) =>
        {
            if (call == nameof(Weir.Kernel.EpollCtl) && EventLoop.Current!.Statistics.Backend != "epoll")
                return; // there it is not called
            kernel.FailNext(call, errno);
            KernelException failure = await Assert.ThrowsAsync<KernelException>(() => FileWatcher.OpenAsync(folder, Everything));
            Assert.Equal(errno, failure.Errno);
            Assert.Contains(what, failure.Message);
            Assert.DoesNotContain(kernel.OpenNow, fd => fd.EndsWith(nameof(Weir.Kernel.InotifyInit)));
            using FileWatcher again = await FileWatcher.OpenAsync(folder, Everything);
        });

    [Fact]
    public void A_tree_with_more_directories_than_there_may_be_watches_is_refused()
        => RunIn(
            async (folder, kernel) =>
            {
                Files.MakeDirectory($"{folder}/a");
                Files.MakeDirectory($"{folder}/b");
                KernelException failure = await Assert.ThrowsAsync<KernelException>(() => FileWatcher.OpenAsync(folder, Everything));
                Assert.Equal(Errno.ENOSPC, failure.Errno);
                Assert.DoesNotContain(kernel.OpenNow, fd => fd.EndsWith(nameof(Weir.Kernel.InotifyInit)));
                using FileWatcher flat = await FileWatcher.OpenAsync(folder);
            },
            kernel => new TwoWatches(kernel));

    [Fact]
    public void A_directory_that_cannot_be_watched_any_more_fails_one_read_and_the_rest_goes_on()
        => RunIn(async (folder, kernel) =>
        {
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            kernel.FailNext(nameof(Weir.Kernel.InotifyAddWatch), Errno.ENOSPC, times: 2);
            Files.MakeDirectory($"{folder}/a");
            Files.MakeDirectory($"{folder}/b");
            var changes = new FileChange[8];
            Assert.Equal(2, await watcher.ReadAsync(changes));
            KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await watcher.ReadAsync(changes));
            Assert.Contains("fs.inotify.max_user_watches", failure.Message);
            Assert.Contains($"{folder}/a", failure.Message);
            Files.Touch($"{folder}/f");
            Files.Touch($"{folder}/a/unseen");
            Assert.Equal(["Created f", "CloseWrite f"], await Told(watcher, folder));
            Assert.Equal(1, watcher.WatchCount);
        });

    [Fact]
    public void A_directory_that_may_not_be_read_is_left_alone()
        => RunIn(async (folder, kernel) =>
        {
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            kernel.FailNext(nameof(Weir.Kernel.InotifyAddWatch), Errno.EACCES);
            Files.MakeDirectory($"{folder}/a");
            Assert.Equal(["Created a/"], await Told(watcher, folder));
            Assert.Empty(await Told(watcher, folder));
            Assert.Equal(1, watcher.WatchCount);
        });

    [Fact]
    public void A_reader_that_always_finds_something_gives_way()
        => RunIn(async (folder, _) =>
        {
            for (int i = 0; i < 200; i++)
                Files.MakeDirectory($"{folder}/{i}");
            int turnsOfOthers = 0;
            bool isDone = false;
            Task neighbour = EventLoop.Current!.Spawn(async () =>
            {
                while (!isDone)
                {
                    turnsOfOthers++;
                    await EventLoop.Yield();
                }
            });
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            Assert.Equal(201, watcher.WatchCount);
            isDone = true;
            await neighbour;
            Assert.InRange(turnsOfOthers, 5, int.MaxValue);
        });

    /// <summary>The limit of watches is two, of each instance.</summary>
    private sealed unsafe class TwoWatches(Kernel inner) : LedgerKernel(inner)
    {
        public override int InotifyAddWatch(int fd, byte* path, InotifyEvents events)
        {
            int watch = base.InotifyAddWatch(fd, path, events);
            if (watch <= 2)
                return watch;
            InotifyRemoveWatch(fd, watch);
            return -(int)Errno.ENOSPC;
        }
    }
}
