namespace Weir.Tests;

/// <summary>What the tests of FileWatcher have in common: a directory for each, and what was told as text.</summary>
public abstract class FileWatcherTestBase : LoopTests
{
    private int _marks;

    protected FileCalls Files => new(InnerKernel);

    /// <summary>Every change is told but of attributes, which come with links and are no news of most tests.</summary>
    protected static FileWatcherOptions Everything => new() { Recursive = true, Attributes = false };

    /// <summary>Runs with a new directory, which is removed afterwards; nothing may be left open.</summary>
    protected void RunIn(Func<string, LedgerKernel, Task> main, Func<Kernel, LedgerKernel>? kernel = null)
    {
        LedgerKernel ledger = kernel?.Invoke(InnerKernel) ?? new LedgerKernel(InnerKernel);
        Run(
            async _ =>
            {
                string folder = $"/tmp/weir-{Guid.NewGuid():N}";
                Assert.Equal(0, Files.MakeDirectory(folder));
                try
                {
                    await main(folder, ledger);
                }
                finally
                {
                    Files.Clear(folder);
                }
            },
            options => options.Kernel = ledger);
        Assert.Empty(ledger.OpenNow);
        Assert.Empty(ledger.Faults);
    }

    /// <summary>What has been told until now, in order: the last thing that happens is a file of this method's own, which it leaves out.</summary>
    protected async Task<List<string>> Told(FileWatcher watcher, string folder)
    {
        string mark = $"{folder}/.mark{++_marks}";
        Files.Touch(mark);
        List<string> told = [];
        await foreach (FileChange change in watcher.ReadAllAsync())
        {
            if (change.Path == mark && change.Kind == FileChangeKind.CloseWrite)
                break;
            if (change.Path != mark)
                told.Add(Show(change, folder));
        }

        return told;
    }

    protected static string Show(FileChange change, string folder)
    {
        string slash = change.IsDirectory ? "/" : "";
        string path = Short(change.Path);
        return change.OldPath == null ? $"{change.Kind} {path}{slash}" : $"{change.Kind} {Short(change.OldPath)}{slash} to {path}{slash}";

        string Short(string full) => full == folder ? "." : full.StartsWith(folder + "/") ? full[(folder.Length + 1)..] : full;
    }
}
