namespace Weir.Tests;

/// <summary>The examples of docs/filewatcher.md. Each runs as a test.</summary>
public sealed class FileWatcherExamples : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weir-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_tree_is_watched_with_what_is_made_in_it()
    {
        string folder = _folder;
        List<string> told = EventLoop.Run(async () =>
        {
            using FileWatcher watcher = await FileWatcher.OpenAsync(folder, new FileWatcherOptions { Recursive = true });
            Directory.CreateDirectory(Path.Combine(folder, "new", "deep"));
            File.WriteAllText(Path.Combine(folder, "new", "deep", "file"), "text");

            var seen = new List<string>();
            await foreach (FileChange change in watcher.ReadAllAsync())
            {
                seen.Add(Path.GetRelativePath(folder, change.Path));
                if (change is { Kind: FileChangeKind.Created, IsDirectory: false })
                    break;
            }

            return seen;
        });

        Assert.Equal(["new", "new/deep", "new/deep/file"], told.Distinct());
    }

    [Fact]
    public void A_file_is_watched_through_its_replacement()
    {
        string settings = Path.Combine(_folder, "settings");
        File.WriteAllText(settings, "old");
        FileChange told = EventLoop.Run(async () =>
        {
            using FileWatcher watcher = await FileWatcher.OpenAsync(settings);
            File.WriteAllText(settings + ".tmp", "new"); // as programs save that want no half-written file to be seen
            File.Move(settings + ".tmp", settings, overwrite: true);

            var changes = new FileChange[8];
            int count = await watcher.ReadAsync(changes); // Moved, from settings.tmp
            Assert.InRange(count, 1, 2);
            return changes[0];
        });

        Assert.Equal(new FileChange(FileChangeKind.Moved, settings, false, settings + ".tmp"), told);
    }
}
