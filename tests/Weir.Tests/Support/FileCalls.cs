using System.Runtime.InteropServices;

namespace Weir.Tests;

/// <summary>The door's calls on names, for tests on any kernel: results are the door's. Text is that of <see cref="FileChange.Path"/>.</summary>
public sealed unsafe class FileCalls(Kernel kernel)
{
    public int MakeDirectory(string path)
    {
        fixed (byte* name = PathText.Encode(path, terminated: true))
            return kernel.MakeDirectory(name, 0x1C0); // 0700
    }

    public int RemoveDirectory(string path)
    {
        fixed (byte* name = PathText.Encode(path, terminated: true))
            return kernel.RemoveDirectory(name);
    }

    public int Unlink(string path)
    {
        fixed (byte* name = PathText.Encode(path, terminated: true))
            return kernel.Unlink(name);
    }

    public int Rename(string from, string to)
    {
        fixed (byte* old = PathText.Encode(from, terminated: true))
        fixed (byte* name = PathText.Encode(to, terminated: true))
            return kernel.Rename(old, name);
    }

    public int Open(string path, FileFlags flags)
    {
        fixed (byte* name = PathText.Encode(path, terminated: true))
            return kernel.Open(name, flags | FileFlags.CloseOnExec | FileFlags.NonBlock, 0x180); // 0600
    }

    /// <summary>Makes a file, or opens and closes one that there is; writes so many bytes. 0, or the negated errno of open(2).</summary>
    public int Write(string path, int bytes)
    {
        int fd = Open(path, FileFlags.WriteOnly | FileFlags.Create);
        if (fd < 0)
            return fd;
        byte* data = stackalloc byte[16];
        if (bytes > 0)
            kernel.Write(fd, data, (nuint)Math.Min(bytes, 16));
        kernel.Close(fd);
        return 0;
    }

    public int Touch(string path) => Write(path, 0);

    /// <summary>All that is below a directory, by full path: whether it is a directory.</summary>
    public SortedDictionary<string, bool> Tree(string path)
    {
        SortedDictionary<string, bool> tree = new(StringComparer.Ordinal);
        Add(path, tree);
        return tree;
    }

    private void Add(string path, SortedDictionary<string, bool> tree)
    {
        foreach ((string name, bool isDirectory) in Entries(path))
        {
            tree.Add($"{path}/{name}", isDirectory);
            if (isDirectory)
                Add($"{path}/{name}", tree);
        }
    }

    private List<(string Name, bool IsDirectory)> Entries(string path)
    {
        List<(string, bool)> entries = [];
        int fd = Open(path, FileFlags.ReadOnly);
        if (fd < 0)
            return entries;
        byte* buffer = stackalloc byte[4096];
        int count;
        while ((count = kernel.GetDents64(fd, buffer, 4096)) > 0)
        {
            for (byte* at = buffer; at < buffer + count; at += *(ushort*)(at + 16))
            {
                string name = PathText.Decode(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(at + 19));
                if (name is not ("." or ".."))
                    entries.Add((name, at[18] == 4));
            }
        }

        kernel.Close(fd);
        return entries;
    }

    /// <summary>Removes a directory and all that is in it.</summary>
    public void Clear(string path)
    {
        foreach ((string name, bool isDirectory) in Entries(path))
        {
            if (isDirectory)
                Clear($"{path}/{name}");
            else
                Unlink($"{path}/{name}");
        }

        RemoveDirectory(path);
    }
}

/// <summary>A list of names that is kept by the changes that a watcher tells, and refuses those that cannot be.</summary>
public sealed class ChangeMirror(string root)
{
    public SortedDictionary<string, bool> Tree { get; } = new(StringComparer.Ordinal);

    public List<string> Told { get; } = [];

    public void Apply(FileChange change)
    {
        Told.Add(change.ToString());
        switch (change.Kind)
        {
            case FileChangeKind.Created:
                Check(HasParent(change.Path), change, "in a directory that is not there");
                Check(Tree.TryAdd(change.Path, change.IsDirectory), change, "of what was there");
                break;
            case FileChangeKind.Deleted:
                CheckKnown(change.Path, change);
                Remove(change.Path);
                break;
            case FileChangeKind.Moved when change.OldPath == null:
                CheckKnown(change.Path, change);
                break;
            case FileChangeKind.Moved:
                CheckKnown(change.OldPath, change);
                Check(HasParent(change.Path), change, "into a directory that is not there");
                Move(change.OldPath, change.Path);
                break;
            case FileChangeKind.Overflow:
                break;
            default:
                if (change.Path != root)
                    CheckKnown(change.Path, change);
                break;
        }
    }

    private void Move(string from, string to)
    {
        KeyValuePair<string, bool>[] moved = [.. Tree.Where(entry => IsWithin(entry.Key, from))];
        Remove(from);
        Remove(to);
        foreach ((string path, bool isDirectory) in moved)
            Tree.Add(to + path[from.Length..], isDirectory);
    }

    private void Remove(string path)
    {
        foreach (string entry in Tree.Keys.Where(entry => IsWithin(entry, path)).ToArray())
            Tree.Remove(entry);
    }

    private static bool IsWithin(string path, string directory)
        => path.StartsWith(directory, StringComparison.Ordinal) && (path.Length == directory.Length || path[directory.Length] == '/');

    private bool HasParent(string path) => path[..path.LastIndexOf('/')] is var parent && (parent == root || Tree.GetValueOrDefault(parent));

    private void CheckKnown(string path, FileChange change)
        => Check(Tree.TryGetValue(path, out bool isDirectory) && isDirectory == change.IsDirectory, change, "of what was not there");

    private void Check(bool holds, FileChange change, string wrong)
    {
        if (!holds)
            Assert.Fail($"{change}: {wrong}.\n{string.Join('\n', Told)}");
    }
}
