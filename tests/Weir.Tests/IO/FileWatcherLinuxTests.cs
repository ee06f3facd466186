namespace Weir.Tests;

/// <summary>FileWatcher with what only the real kernel has: links, and threads that really run beside it.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public class FileWatcherLinuxTests : FileWatcherTestBase
{
    private static readonly string[] Names = ["a", "b", "c"];

    [Fact]
    public void Links_are_names_and_not_followed_but_the_first()
        => RunIn(async (folder, _) =>
        {
            Files.MakeDirectory($"{folder}/tree");
            Files.MakeDirectory($"{folder}/elsewhere");
            File.CreateSymbolicLink($"{folder}/tree/there", $"{folder}/elsewhere");
            File.CreateSymbolicLink($"{folder}/link", $"{folder}/tree");
            using FileWatcher watcher = await FileWatcher.OpenAsync($"{folder}/link", Everything);
            Assert.Equal(1, watcher.WatchCount);
            File.CreateSymbolicLink($"{folder}/tree/loop", $"{folder}/tree");
            Files.Touch($"{folder}/elsewhere/unseen");
            Assert.Equal(["Created loop"], await Told(watcher, $"{folder}/link"));
            Assert.Equal(1, watcher.WatchCount);
        });

    [Fact]
    public void Changed_attributes_are_told_of_names_and_of_the_directory_itself()
        => RunIn(async (folder, _) =>
        {
            Files.Touch($"{folder}/f");
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, new FileWatcherOptions());
            File.SetUnixFileMode($"{folder}/f", UnixFileMode.UserRead);
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead);
            Assert.Equal(["Attributes f", "Attributes ./"], await Told(watcher, folder));
        });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_tree_that_threads_change_meanwhile_is_told_as_it_is_in_the_end(int seed)
        => RunIn(async (folder, _) =>
        {
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, Everything);
            Task[] writers = [.. Enumerable.Range(0, 2).Select(number => OnThread(() =>
            {
                var random = new Random(seed * 10 + number);
                for (int i = 0; i < 1500; i++)
                    Change(folder, random);
            }))];
            Task<bool> written = Task.WhenAll(writers).ContinueWith(_ => Files.Touch($"{folder}/end") == 0, TaskScheduler.Default);
            var mirror = new ChangeMirror(folder);
            await foreach (FileChange change in watcher.ReadAllAsync())
            {
                mirror.Apply(change);
                // The last event is the end's; what was in doubt then may be told after it.
                if (mirror.Tree.ContainsKey($"{folder}/end") && mirror.Tree.SequenceEqual(Files.Tree(folder)))
                    break;
            }

            Assert.True(await written);
            // The names are there; the watches follow, and with them nothing more to tell that lasts.
            var changes = new FileChange[16];
            while (watcher.WatchCount != 1 + mirror.Tree.Count(entry => entry.Value) || !mirror.Tree.SequenceEqual(Files.Tree(folder)))
            {
                using var stop = new CancellationTokenSource();
                ValueTask<int> read = watcher.ReadAsync(changes, stop.Token);
                await Settle();
                stop.Cancel();
                try
                {
                    foreach (FileChange change in changes[..await read])
                        mirror.Apply(change);
                }
                catch (OperationCanceledException)
                {
                }
            }

            Files.MakeDirectory($"{folder}/last");
            Assert.Contains("Created last/", await Told(watcher, folder));
        });

    private void Change(string folder, Random random)
    {
        string path = AnyPath(folder, random);
        switch (random.Next(14))
        {
            case < 5:
                Files.MakeDirectory(path);
                break;
            case < 8:
                Files.Write(path, random.Next(2));
                break;
            case < 9:
                Files.Unlink(path);
                break;
            case < 10:
                Files.Clear(path);
                break;
            default:
                Files.Rename(path, AnyPath(folder, random));
                break;
        }
    }

    private static string AnyPath(string path, Random random)
    {
        for (int depth = 1 + random.Next(3); depth > 0; depth--)
            path += "/" + Names[random.Next(Names.Length)];
        return path;
    }
}
