namespace Weir;

/// <summary>What happened to a file or directory.</summary>
public enum FileChangeKind
{
    /// <summary>It was made, or came from outside of what is watched.</summary>
    Created,

    /// <summary>It was removed, or went outside of what is watched; of a directory, with everything below it.</summary>
    Deleted,

    /// <summary>Its contents were changed: written, or cut off.</summary>
    Modified,

    /// <summary>Its permissions, owner, times or number of links were changed.</summary>
    Attributes,

    /// <summary>
    /// It was renamed, from <see cref="FileChange.OldPath"/>; a directory with everything below it. What was at the new path before is replaced.
    /// Without an old path, something from outside of what is watched has replaced what was there.
    /// </summary>
    Moved,

    /// <summary>Someone who had it open for writing has closed it: what was to be written is there.</summary>
    CloseWrite,

    /// <summary>
    /// Events came faster than they were read, and the kernel's queue had no room for some. What was made and removed meanwhile follows, found by
    /// scanning; changes of contents and attributes are unknown, and a move may show as removed and made.
    /// </summary>
    Overflow,

    /// <summary>A file system that was mounted there has been unmounted. If it was the watched directory itself, it is the last change.</summary>
    Unmounted,

    /// <summary>The watched directory itself was removed or renamed: the last change.</summary>
    Gone,
}

/// <summary>A change that a <see cref="FileWatcher"/> tells of.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Path">
/// The full path: that which the watcher was given, and the names below it. Bytes of a name that are no UTF-8 stand in it as lone surrogates;
/// <see cref="FileWatcher.GetPathBytes"/> gives the bytes back.
/// </param>
/// <param name="IsDirectory">Whether it is a directory.</param>
/// <param name="OldPath">Of a move: the path before it.</param>
public readonly record struct FileChange(FileChangeKind Kind, string Path, bool IsDirectory, string? OldPath = null);
