using Weir.Tests;

namespace Weir.Simulation.Tests;

/// <summary>
/// A watcher on a tree that somebody else changes at random meanwhile, stopped at any system call: what the watcher tells agrees with itself, and
/// who has applied it all has what is there.
/// </summary>
public class FileWatcherModelTests
{
    private const string Root = "/tmp/watched";
    private const string Outside = "/tmp/outside";
    private static readonly string[] Names = ["a", "b", "c"];

    [Theory]
    [InlineData(800, 40, 1 << 14)]
    [InlineData(150, 300, 1 << 14)]
    [InlineData(800, 60, 4)] // a queue so short that most is found by scanning
    public void What_is_told_in_the_end_is_what_is_there(int seeds, int operations, int mostEvents)
    {
        for (ulong seed = 1; seed <= (ulong)seeds; seed++)
            Run(seed, operations, mostEvents, new SimOptions { Mode = SimMode.Threads, PreemptionProbability = 0.05 + 0.1 * (seed % 5) });
    }

    [Fact]
    public void A_run_is_the_same_each_time()
        => Run(7, 60, 1 << 14, new SimOptions { Mode = SimMode.Threads, CheckDeterminism = true });

    private static void Run(ulong seed, int operations, int mostEvents, SimOptions options)
        => Sim.Run(
            seed,
            async sim =>
            {
                sim.Kernel.Machine.MaxInotifyEvents = mostEvents;
                var files = new FileCalls(sim.Kernel);
                files.MakeDirectory(Root);
                files.MakeDirectory(Outside);
                using FileWatcher watcher = await FileWatcher.OpenAsync(Root, new FileWatcherOptions { Recursive = true });
                var random = new Random((int)seed);
                bool isDone = false;
                sim.Thread("writer", () =>
                {
                    for (int i = 0; i < operations; i++)
                        Change(files, random);
                    Volatile.Write(ref isDone, true);
                });
                var mirror = new ChangeMirror(Root);
                var changes = new FileChange[16];
                while (true)
                {
                    bool wasDone = Volatile.Read(ref isDone);
                    // Virtual time passes when nobody has anything to do.
                    using var quiet = new CancellationTokenSource(TimeSpan.FromSeconds(1), EventLoop.Current!.TimeProvider);
                    try
                    {
                        int count = await watcher.ReadAsync(changes, quiet.Token);
                        foreach (FileChange change in changes[..count])
                            mirror.Apply(change);
                    }
                    catch (OperationCanceledException)
                    {
                        if (wasDone)
                            break;
                    }
                }

                SortedDictionary<string, bool> there = files.Tree(Root);
                if (!there.SequenceEqual(mirror.Tree))
                    Assert.Fail($"There is\n{string.Join('\n', there)}\nand was told\n{string.Join('\n', mirror.Tree)}\nby\n{string.Join('\n', mirror.Told)}");
                Assert.Equal(1 + there.Count(entry => entry.Value), watcher.WatchCount);
                Assert.Equal(watcher.WatchCount, sim.Kernel.Machine.InotifyWatches);
            },
            options);

    private static void Change(FileCalls files, Random random)
    {
        string path = AnyPath(random, Root);
        switch (random.Next(20))
        {
            case < 6:
                files.MakeDirectory(path);
                break;
            case < 10:
                files.Write(path, random.Next(2));
                break;
            case < 12:
                files.Unlink(path);
                break;
            case < 14:
                files.RemoveDirectory(path);
                break;
            case < 15:
                files.Clear(path);
                break;
            case < 16:
                files.Rename(path, AnyPath(random, Outside));
                break;
            case < 17:
                files.Rename(AnyPath(random, Outside), path);
                break;
            default:
                files.Rename(path, AnyPath(random, Root));
                break;
        }
    }

    private static string AnyPath(Random random, string root)
    {
        string path = root;
        for (int depth = 1 + random.Next(3); depth > 0; depth--)
            path += "/" + Names[random.Next(Names.Length)];
        return path;
    }

    [Fact]
    public void Read_after_each_operation_every_change_is_told_exactly_once_and_moves_are_pairs()
    {
        for (ulong seed = 1; seed <= 100; seed++)
        {
            Sim.Run(seed, async sim =>
            {
                var files = new FileCalls(sim.Kernel);
                files.MakeDirectory(Root);
                files.MakeDirectory(Outside);
                using FileWatcher watcher = await FileWatcher.OpenAsync(Root, new FileWatcherOptions { Recursive = true });
                var random = new Random((int)seed);
                for (int i = 0; i < 60; i++)
                    Assert.Equal(Expected(files, random), await Told(watcher));
            });
        }
    }

    // Does something, and says what is to be told of it.
    private static List<string> Expected(FileCalls files, Random random)
    {
        string path = AnyPath(random, Root), other = AnyPath(random, random.Next(4) == 0 ? Outside : Root);
        SortedDictionary<string, bool> before = files.Tree(Root);
        List<string> expected = [];
        switch (random.Next(6))
        {
            case 0 when files.MakeDirectory(path) == 0:
                expected.Add($"Created {path}/");
                break;
            case 1 when files.Write(path, 3) == 0:
                if (!before.ContainsKey(path))
                    expected.Add($"Created {path}");
                expected.Add($"Modified {path}");
                expected.Add($"CloseWrite {path}");
                break;
            case 2 when files.Unlink(path) == 0:
                expected.Add($"Deleted {path}");
                break;
            case 3 when files.RemoveDirectory(path) == 0:
                expected.Add($"Deleted {path}/");
                break;
            case 4 when path != other && files.Rename(path, other) == 0:
                string slash = before[path] ? "/" : "";
                expected.Add(other.StartsWith(Root) ? $"Moved {path}{slash} to {other}{slash}" : $"Deleted {path}{slash}");
                break;
            case 5 when other.StartsWith(Outside) && files.Rename(other, path) == 0:
                SortedDictionary<string, bool> after = files.Tree(Root);
                if (!before.ContainsKey(path))
                    expected.AddRange(ByLevels(after, path).Select(one => $"Created {one}{(after[one] ? "/" : "")}"));
                else if (!after[path])
                    expected.Add($"Moved {path} to {path}");
                else
                    expected.AddRange(ByLevels(after, path).Skip(1).Select(one => $"Created {one}{(after[one] ? "/" : "")}"));
                break;
        }

        expected.Sort(StringComparer.Ordinal);
        return expected;
    }

    private static IEnumerable<string> ByLevels(SortedDictionary<string, bool> tree, string path)
        => tree.Keys.Where(one => one == path || one.StartsWith(path + "/"));

    private static async Task<List<string>> Told(FileWatcher watcher)
    {
        List<string> told = [];
        var changes = new FileChange[4];
        while (true)
        {
            using var quiet = new CancellationTokenSource(TimeSpan.FromSeconds(1), EventLoop.Current!.TimeProvider);
            try
            {
                int count = await watcher.ReadAsync(changes, quiet.Token);
                told.AddRange(changes[..count].Where(change => change.Kind != FileChangeKind.Attributes).Select(Show));
            }
            catch (OperationCanceledException)
            {
                told.Sort(StringComparer.Ordinal);
                return told;
            }
        }

        static string Show(FileChange change)
        {
            string slash = change.IsDirectory ? "/" : "";
            return change.Kind == FileChangeKind.Moved
                ? $"Moved {change.OldPath ?? change.Path}{slash} to {change.Path}{slash}"
                : $"{change.Kind} {change.Path}{slash}";
        }
    }
}
