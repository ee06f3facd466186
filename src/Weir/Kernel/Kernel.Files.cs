namespace Weir;

public abstract unsafe partial class Kernel
{
    /// <summary>Reads at most <paramref name="length"/> bytes at an offset; the file's own position is not moved. pread(2).</summary>
    public abstract nint PRead(int fd, void* buffer, nuint length, long offset);

    /// <summary>Writes at most <paramref name="length"/> bytes at an offset. pwrite(2).</summary>
    public abstract nint PWrite(int fd, void* buffer, nuint length, long offset);

    /// <summary>Reads into several buffers at an offset. preadv(2).</summary>
    public abstract nint PReadV(int fd, IoVector* vectors, int count, long offset);

    /// <summary>Writes from several buffers at an offset. pwritev(2).</summary>
    public abstract nint PWriteV(int fd, IoVector* vectors, int count, long offset);

    /// <summary>Returns when what was written is on the disk, with all that is needed to find it (fsync(2)), or without the times (fdatasync(2)).</summary>
    public abstract int FSync(int fd, bool dataOnly);

    /// <summary>Allocates, or with other modes frees or zeroes, a range of a file. fallocate(2).</summary>
    public abstract int FAllocate(int fd, FileAllocation mode, long offset, long length);

    /// <summary>Sets the length of a file. ftruncate(2).</summary>
    public abstract int FTruncate(int fd, long length);

    /// <summary>
    /// What is known of a file: named by a zero-terminated path, relative to the directory <paramref name="directory"/>
    /// (<see cref="StatXRequest.WorkingDirectory"/>), or with <see cref="StatXFlags.EmptyPath"/> that descriptor itself. statx(2).
    /// </summary>
    public abstract int StatX(int directory, byte* path, StatXFlags flags, StatXMask mask, StatXResult* result);

    /// <summary>Entries of an open directory, laid out as struct linux_dirent64; 0 at the end. getdents64(2).</summary>
    public abstract int GetDents64(int fd, void* buffer, nuint length);

    /// <summary>Makes a directory; the process's umask applies. mkdir(2).</summary>
    public abstract int MakeDirectory(byte* path, int mode);

    /// <summary>Removes an empty directory. rmdir(2).</summary>
    public abstract int RemoveDirectory(byte* path);

    /// <summary>Gives a file another name, in place of whatever has that name. rename(2).</summary>
    public abstract int Rename(byte* from, byte* to);
}
