namespace Weir;

/// <summary>A name that a <see cref="FileWatcher"/> knows of.</summary>
internal sealed class WatchedEntry(WatchedEntry? parent, string name, bool isDirectory)
{
    internal const int NotWatched = -1;

    /// <summary>The directory it is in; null for the one that everything begins with.</summary>
    internal WatchedEntry? Parent { get; private set; } = parent;

    /// <summary>Its name; of the first, its path.</summary>
    internal string Name { get; private set; } = name;

    internal bool IsDirectory => isDirectory;

    /// <summary>What is in it, by name; null as long as nothing is.</summary>
    internal Dictionary<string, WatchedEntry>? Children { get; private set; }

    /// <summary>Its watch descriptor.</summary>
    internal int Watch { get; set; } = NotWatched;

    /// <summary>It is no longer in the tree.</summary>
    internal bool IsGone { get; set; }

    /// <summary>The last scan that found it.</summary>
    internal int Scan { get; set; }

    /// <summary>It waits in the list of those to be verified.</summary>
    internal bool IsUnsettled { get; set; }

    internal string Path => Parent == null ? Name : PathOf(Parent, Name);

    internal static string PathOf(WatchedEntry directory, string name)
    {
        string path = directory.Path;
        return path == "/" ? "/" + name : $"{path}/{name}";
    }

    /// <summary>Whether <paramref name="entry"/> is it, or below it by its path.</summary>
    internal bool IsOnPathTo(WatchedEntry? entry)
    {
        while (entry != null && entry != this)
            entry = entry.Parent;
        return entry == this;
    }

    internal WatchedEntry? Find(string name) => Children?.GetValueOrDefault(name);

    internal WatchedEntry Add(string name, bool isDirectory)
    {
        var child = new WatchedEntry(this, name, isDirectory);
        (Children ??= []).Add(name, child);
        return child;
    }

    /// <summary>Takes it out of its directory.</summary>
    internal void Detach() => Parent!.Children!.Remove(Name);

    /// <summary>Puts one that was detached elsewhere.</summary>
    internal void Attach(WatchedEntry parent, string name)
    {
        Parent = parent;
        Name = name;
        (parent.Children ??= []).Add(name, this);
    }

    /// <summary>It and the directories below it, each before those in it.</summary>
    internal void AddDirectories(List<WatchedEntry> to)
    {
        int first = to.Count;
        to.Add(this);
        for (int i = first; i < to.Count; i++)
        {
            if (to[i].Children == null)
                continue;
            foreach (WatchedEntry child in to[i].Children!.Values)
            {
                if (child.IsDirectory)
                    to.Add(child);
            }
        }
    }
}
