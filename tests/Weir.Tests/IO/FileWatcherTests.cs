namespace Weir.Tests;

public class FileWatcherTests : FileWatcherTestBase
{
    [Fact]
    public void What_happens_in_a_directory_is_told_in_order()
        => RunIn(async (folder, _) =>
        {
            Files.Touch($"{folder}/old");
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder + "/", new FileWatcherOptions { Attributes = false });
            Assert.Equal(folder, watcher.Path);
            Files.Write($"{folder}/new", 3);
            Files.Rename($"{folder}/new", $"{folder}/other");
            Files.Rename($"{folder}/other", $"{folder}/old");
            Files.Unlink($"{folder}/old");
            Files.MakeDirectory($"{folder}/d");
            Files.Touch($"{folder}/d/unseen");
            Files.Unlink($"{folder}/d/unseen");
            Files.RemoveDirectory($"{folder}/d");
            Assert.Equal(
                [
                    "Created new", "Modified new", "CloseWrite new", "Moved new to other", "Moved other to old", "Deleted old",
                    "Created d/", "Deleted d/",
                ],
                await Told(watcher, folder));
            Assert.Equal(1, watcher.WatchCount);
        });

    [Fact]
    public void What_is_not_wanted_is_not_told()
        => RunIn(async (folder, _) =>
        {
            var options = new FileWatcherOptions { Modified = false, Attributes = false };
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, options);
            Files.Write($"{folder}/f", 3);
            Assert.Equal(["Created f", "CloseWrite f"], await Told(watcher, folder));
        });

    [Fact]
    public void Directories_made_later_are_watched_and_what_was_made_in_them_before_that_is_told_once()
        => RunIn(async (folder, _) =>
        {
            Files.MakeDirectory($"{folder}/there");
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            Files.Touch($"{folder}/there/f");
            Files.MakeDirectory($"{folder}/a");
            Files.MakeDirectory($"{folder}/a/b");
            Files.Touch($"{folder}/a/b/before");
            Assert.Equal(["Created there/f", "CloseWrite there/f", "Created a/", "Created a/b/", "Created a/b/before"], await Sorted(watcher, folder));
            Files.Touch($"{folder}/a/b/after");
            Files.Touch($"{folder}/a/b/before");
            Assert.Equal(["Created a/b/after", "CloseWrite a/b/after", "CloseWrite a/b/before"], await Told(watcher, folder));
            Assert.Equal(4, watcher.WatchCount);
            Files.Clear($"{folder}/a");
            Assert.Equal(["Deleted a/b/before", "Deleted a/b/after", "Deleted a/b/", "Deleted a/"], (await Told(watcher, folder)).Order(ByDepth));
            Assert.Equal(2, watcher.WatchCount);
        });

    // The mark is found by an event, and what is below new directories by scanning after that: read on until it has all come.
    private async Task<List<string>> Sorted(FileWatcher watcher, string folder)
    {
        List<string> told = await Told(watcher, folder);
        told.AddRange(await Told(watcher, folder));
        return told;
    }

    private static readonly Comparer<string> ByDepth = Comparer<string>.Create(
        (left, right) => (Depth(right), left.Contains("after"), left).CompareTo((Depth(left), right.Contains("after"), right)));

    private static int Depth(string told) => told.TrimEnd('/').Count(c => c == '/');

    [Fact]
    public void Directories_that_move_keep_their_watches_and_get_their_new_paths()
        => RunIn(async (folder, _) =>
        {
            Files.MakeDirectory($"{folder}/a");
            Files.MakeDirectory($"{folder}/a/sub");
            Files.MakeDirectory($"{folder}/b");
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            Files.Rename($"{folder}/a", $"{folder}/b/c");
            Files.Touch($"{folder}/b/c/sub/f");
            Assert.Equal(["Moved a/ to b/c/", "Created b/c/sub/f", "CloseWrite b/c/sub/f"], await Told(watcher, folder));
            Assert.Equal(4, watcher.WatchCount);
        });

    [Fact]
    public void What_moves_out_is_no_longer_watched_and_what_moves_in_is_watched_and_scanned()
        => RunIn(async (folder, _) =>
        {
            string tree = $"{folder}/tree", outside = $"{folder}/outside";
            Files.MakeDirectory(tree);
            Files.MakeDirectory(outside);
            Files.MakeDirectory($"{tree}/a");
            Files.MakeDirectory($"{tree}/a/b");
            Files.Touch($"{tree}/a/f");
            Files.Touch($"{tree}/g");
            using FileWatcher watcher = await FileWatcher.OpenAsync(tree, Everything);
            Assert.Equal(3, watcher.WatchCount);
            Files.Rename($"{tree}/a", $"{outside}/a");
            Files.Touch($"{outside}/a/unseen");
            Assert.Equal(["Deleted a/"], await Told(watcher, tree));
            Assert.Equal(1, watcher.WatchCount);
            Files.Rename($"{outside}/a", $"{tree}/back");
            List<string> told = [.. await Told(watcher, tree), .. await Told(watcher, tree)];
            Assert.Equal("Created back/", told[0]);
            Assert.Equal(["Created back/", "Created back/b/", "Created back/f", "Created back/unseen"], told.Order(StringComparer.Ordinal));
            Assert.Equal(3, watcher.WatchCount);
            Files.Touch($"{outside}/h");
            Files.Rename($"{outside}/h", $"{tree}/g");
            Assert.Equal(["Moved g"], await Told(watcher, tree)); // replaced by something that nobody knows
        });

    [Fact]
    public void The_halves_of_a_move_are_a_pair_in_different_reads_too()
        => RunIn(
            async (folder, kernel) =>
            {
                Files.MakeDirectory($"{folder}/a");
                Files.MakeDirectory($"{folder}/b");
                Files.Touch($"{folder}/a/f");
                using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
                Files.Rename($"{folder}/a/f", $"{folder}/b/g");
                Files.Rename($"{folder}/b", $"{folder}/a/b");
                Assert.Equal(["Moved a/f to b/g", "Moved b/ to a/b/"], await Told(watcher, folder));
            },
            kernel => new ShortReads(kernel));

    [Fact]
    public void A_half_that_stays_alone_is_a_removal()
        => RunIn(async (folder, _) =>
        {
            string tree = $"{folder}/tree";
            Files.MakeDirectory(tree);
            Files.MakeDirectory($"{tree}/d");
            Files.Touch($"{tree}/f");
            using FileWatcher watcher = await FileWatcher.OpenAsync(tree, Everything);
            var changes = new FileChange[8];
            long before = EventLoop.Current!.Kernel.ClockGetTime(ClockId.Monotonic);
            Files.Rename($"{tree}/f", $"{folder}/f"); // nothing follows: only time shows that it is alone
            Assert.Equal(1, await watcher.ReadAsync(changes));
            Assert.Equal("Deleted f", Show(changes[0], tree));
            Assert.InRange(EventLoop.Current.Kernel.ClockGetTime(ClockId.Monotonic) - before, 10_000_000, long.MaxValue);
            Files.Rename($"{tree}/d", $"{folder}/d"); // a directory says itself that it has moved
            Assert.Equal(1, await watcher.ReadAsync(changes));
            Assert.Equal("Deleted d/", Show(changes[0], tree));
        });

    [Fact]
    public void A_queue_that_was_too_short_is_told_and_what_was_missed_is_found()
        => RunIn(async (folder, _) =>
        {
            Files.MakeDirectory($"{folder}/gone");
            Files.MakeDirectory($"{folder}/kept");
            Files.Touch($"{folder}/kept/gone");
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            Flood(folder);
            Files.RemoveDirectory($"{folder}/gone");
            Files.Unlink($"{folder}/kept/gone");
            Files.MakeDirectory($"{folder}/new");
            Files.Touch($"{folder}/new/f");
            Files.Rename($"{folder}/kept", $"{folder}/new/kept");
            List<string> told = [];
            await foreach (FileChange change in watcher.ReadAllAsync())
            {
                if (change.Kind != FileChangeKind.Modified)
                    told.Add(Show(change, folder));
                if (change.Path == $"{folder}/new/kept")
                    break;
            }

            Assert.Equal(["Created 1", "Created 2", "Overflow ./"], told[..3]);
            string[] found = [.. told[3..].Where(one => one != "Created new/f").Order(StringComparer.Ordinal)]; // beside the directory, before or after
            Assert.Equal(["Created new/", "Created new/kept/", "Deleted gone/", "Deleted kept/"], found);
            await Told(watcher, folder); // what is left to be found
            Files.Touch($"{folder}/new/kept/f");
            Assert.Equal(["Created new/kept/f", "CloseWrite new/kept/f"], await Told(watcher, folder));
            Assert.Equal(3, watcher.WatchCount);
        });

    // More events than the queue holds (fs.inotify.max_queued_events is 16384 unless somebody has raised it), none like the one before.
    private unsafe void Flood(string folder)
    {
        int one = Files.Open($"{folder}/1", FileFlags.WriteOnly | FileFlags.Create), two = Files.Open($"{folder}/2", FileFlags.WriteOnly | FileFlags.Create);
        byte letter = 0;
        for (int i = 0; i < 8200; i++)
        {
            InnerKernel.Write(one, &letter, 1);
            InnerKernel.Write(two, &letter, 1);
        }

        InnerKernel.Close(one);
        InnerKernel.Close(two);
    }

    [Fact]
    public void A_file_is_watched_by_its_name()
        => RunIn(async (folder, _) =>
        {
            string file = $"{folder}/settings";
            Files.Write(file, 1);
            Files.Touch($"{folder}/other");
            using FileWatcher watcher = await FileWatcher.OpenAsync(file, Everything);
            Files.Write($"{folder}/other", 1);
            Files.Write(file, 1);
            Files.Write($"{folder}/settings.tmp", 1);
            Files.Rename($"{folder}/settings.tmp", file);
            Files.Write(file, 1);
            Files.Unlink(file);
            Files.Touch(file);
            Files.Rename(file, $"{folder}/settings.old");
            Files.Touch($"{folder}/settings.old");
            Files.MakeDirectory($"{folder}/d");
            Files.Touch(file);
            string[] told = new string[11];
            var changes = new FileChange[1];
            for (int i = 0; i < told.Length; i++)
            {
                Assert.Equal(1, await watcher.ReadAsync(changes));
                told[i] = Show(changes[0], folder);
            }

            Assert.Equal(
                [
                    "Modified settings", "CloseWrite settings", "Moved settings.tmp to settings", "Modified settings", "CloseWrite settings",
                    "Deleted settings", "Created settings", "CloseWrite settings", "Moved settings to settings.old",
                    "Created settings", "CloseWrite settings",
                ],
                told);
        });

    [Fact]
    public void A_name_that_is_no_text_comes_back_as_the_bytes_that_it_is()
        => RunIn(async (folder, _) =>
        {
            byte[] name = [(byte)'x', 0xFF, 0xC3, (byte)'-', 0xE2, 0x82, 0xAC, 0x80];
            string path = $"{folder}/{PathText.Decode(name)}";
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            Files.MakeDirectory(path);
            var changes = new FileChange[1];
            await watcher.ReadAsync(changes);
            Assert.Equal(path, changes[0].Path);
            Assert.Equal([.. System.Text.Encoding.UTF8.GetBytes(folder), (byte)'/', .. name], FileWatcher.GetPathBytes(changes[0].Path));
            Assert.Contains("\u20ac", changes[0].Path);
            Assert.Empty(await Told(watcher, folder)); // by now it is watched
            Files.Touch($"{path}/f");
            Assert.Equal(2, (await Told(watcher, folder)).Count);
            await using AsyncFile file = await AsyncFile.OpenAsync($"{path}/f");
            Assert.Equal(0, (await file.GetStatusAsync()).Size);
        });

    [Fact]
    public void The_end_of_the_directory_is_the_last_change()
        => RunIn(async (folder, _) =>
        {
            foreach (bool moves in (bool[])[false, true])
            {
                string root = $"{folder}/root";
                Files.MakeDirectory(root);
                using FileWatcher watcher = await FileWatcher.OpenAsync(root, Everything);
                Files.Touch($"{root}/f");
                if (moves)
                    Files.Rename(root, $"{folder}/elsewhere");
                else
                    Files.Clear(root);
                List<string> told = [];
                await foreach (FileChange change in watcher.ReadAllAsync())
                    told.Add(Show(change, root));
                Assert.Equal(["Created f", "CloseWrite f", .. moves ? (string[])[] : ["Deleted f"], "Gone ./"], told);
                Assert.Equal(0, await watcher.ReadAsync(new FileChange[1]));
            }
        });

    [Fact]
    public void A_directory_taken_for_another_that_was_renamed_meanwhile_is_told_where_it_is_in_the_end()
    {
        MeddlingKernel meddler = null!;
        RunIn(
            async (folder, _) =>
            {
                Files.MakeDirectory($"{folder}/x");
                using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
                // Between the event of n and the watch on it: n is x now, and what was n ends in it. The watch on n is that of x, and
                // the last move, as it seems, is of a directory into itself.
                meddler.BeforeNextWatch = () =>
                {
                    Files.Rename($"{folder}/n", $"{folder}/m");
                    Files.Rename($"{folder}/x", $"{folder}/n");
                    Files.Rename($"{folder}/m", $"{folder}/n/k");
                };
                Files.MakeDirectory($"{folder}/n");
                var mirror = new ChangeMirror(folder);
                mirror.Tree.Add($"{folder}/x", true);
                bool foundOut = false;
                await foreach (FileChange change in watcher.ReadAllAsync())
                {
                    mirror.Apply(change);
                    foundOut |= change.Kind == FileChangeKind.Deleted;
                    if (foundOut && mirror.Tree.SequenceEqual(Files.Tree(folder)))
                        break;
                }

                Assert.Empty(await Told(watcher, folder)); // by now it is watched
                Files.Touch($"{folder}/n/k/f");
                Assert.Equal(["Created n/k/f", "CloseWrite n/k/f"], await Told(watcher, folder));
                Assert.Equal(3, watcher.WatchCount);
            },
            inner => meddler = new MeddlingKernel(inner));
    }

    /// <summary>Does something just before a watch is added.</summary>
    private sealed unsafe class MeddlingKernel(Kernel inner) : LedgerKernel(inner)
    {
        public Action? BeforeNextWatch { get; set; }

        public override int InotifyAddWatch(int fd, byte* path, InotifyEvents mask)
        {
            Action? before = BeforeNextWatch;
            BeforeNextWatch = null;
            before?.Invoke();
            return base.InotifyAddWatch(fd, path, mask);
        }
    }

    /// <summary>Gives one event a read.</summary>
    private sealed unsafe class ShortReads(Kernel inner) : LedgerKernel(inner)
    {
        private int _inotify = -1;

        public override int InotifyInit() => _inotify = base.InotifyInit();

        public override nint Read(int fd, void* buffer, nuint length) => base.Read(fd, buffer, fd == _inotify ? 32 : length);
    }
}
