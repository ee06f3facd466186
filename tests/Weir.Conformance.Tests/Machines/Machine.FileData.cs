using System.Text;

namespace Weir.Conformance;

// Files at offsets.
public abstract unsafe partial class Machine
{
    /// <summary>A path at which there is nothing yet; it is removed after the program.</summary>
    public string FreshPath() => NewPath();

    /// <summary>open(2); null if the kernel refuses.</summary>
    public Fd? OpenNamed(string path, FileFlags flags, out Outcome outcome, int mode = 0x1A4)
    {
        int number;
        fixed (byte* first = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
            number = Kernel.Open(first, flags | FileFlags.CloseOnExec, mode);
        Fd? fd = number < 0 ? null : Keep(NewName("file"), number, FdKind.Other);
        outcome = Call($"{fd?.ToString() ?? "none"} = open(path, {flags})", Math.Min(number, 0));
        return fd;
    }

    /// <summary>open(2) that succeeds.</summary>
    public Fd OpenNamed(string path, FileFlags flags, int mode = 0x1A4)
    {
        Fd? fd = OpenNamed(path, flags, out Outcome outcome, mode);
        outcome.Is(0);
        return fd!;
    }

    /// <summary>pread(2).</summary>
    public Outcome PRead(Fd fd, int count, long offset) => Take($"pread@{offset}", fd, count, (bytes, length) => Kernel.PRead(fd.Number, bytes, length, offset));

    /// <summary>pwrite(2).</summary>
    public Outcome PWrite(Fd fd, int count, long offset) => Put($"pwrite@{offset}", fd, count, (bytes, length) => Kernel.PWrite(fd.Number, bytes, length, offset));

    /// <summary>pread(2) into memory that is not there.</summary>
    public Outcome PReadNowhere(Fd fd, int count, long offset) => Call($"pread({fd}, null, {count}, {offset})", Kernel.PRead(fd.Number, null, (nuint)count, offset));

    /// <summary>pwrite(2) from memory that is not there.</summary>
    public Outcome PWriteNowhere(Fd fd, int count, long offset) => Call($"pwrite({fd}, null, {count}, {offset})", Kernel.PWrite(fd.Number, null, (nuint)count, offset));

    /// <summary>preadv(2) into buffers of these lengths; shows all bytes as one.</summary>
    public Outcome PReadV(Fd fd, int[] lengths, long offset)
        => Take($"preadv[{string.Join(',', lengths)}]@{offset}", fd, lengths.Sum(), (bytes, _) =>
        {
            IoVector* vectors = stackalloc IoVector[lengths.Length];
            Split(bytes, lengths, vectors);
            return Kernel.PReadV(fd.Number, vectors, lengths.Length, offset);
        });

    /// <summary>pwritev(2).</summary>
    public Outcome PWriteV(Fd fd, int[] lengths, long offset)
        => Put($"pwritev[{string.Join(',', lengths)}]@{offset}", fd, lengths.Sum(), (bytes, _) =>
        {
            IoVector* vectors = stackalloc IoVector[lengths.Length];
            Split(bytes, lengths, vectors);
            return Kernel.PWriteV(fd.Number, vectors, lengths.Length, offset);
        });

    /// <summary>preadv(2) with a count of vectors that the kernel checks before it looks at them.</summary>
    public Outcome PReadVCount(Fd fd, int count, long offset)
    {
        IoVector* vectors = stackalloc IoVector[1025];
        new Span<IoVector>(vectors, 1025).Clear();
        return Call($"preadv({fd}, {count} empty, {offset})", Kernel.PReadV(fd.Number, vectors, count, offset));
    }

    private static void Split(byte* bytes, int[] lengths, IoVector* vectors)
    {
        for (int i = 0; i < lengths.Length; i++)
        {
            vectors[i] = new IoVector { Base = bytes, Length = (nuint)lengths[i] };
            bytes += lengths[i];
        }
    }

    /// <summary>fsync(2), fdatasync(2).</summary>
    public Outcome FSync(Fd fd, bool dataOnly = false) => Call($"{(dataOnly ? "fdatasync" : "fsync")}({fd})", Kernel.FSync(fd.Number, dataOnly));

    /// <summary>fallocate(2).</summary>
    public Outcome FAllocate(Fd fd, FileAllocation mode, long offset, long length)
        => Call($"fallocate({fd}, {mode}, {offset}, {length})", Kernel.FAllocate(fd.Number, mode, offset, length));

    /// <summary>ftruncate(2).</summary>
    public Outcome FTruncate(Fd fd, long length) => Call($"ftruncate({fd}, {length})", Kernel.FTruncate(fd.Number, length));

    /// <summary>statx(2) of an open file: shows type, permissions and size. The result is the size, or an error.</summary>
    public Outcome Stat(Fd fd, StatXFlags flags = StatXFlags.EmptyPath, StatXMask mask = StatXMask.BasicStats)
    {
        byte empty = 0;
        StatXResult result;
        return ShowStat($"statx({fd}, {flags})", Kernel.StatX(fd.Number, &empty, flags, mask, &result), result);
    }

    /// <summary>statx(2) of a path.</summary>
    public Outcome Stat(string path, StatXFlags flags = StatXFlags.None, bool intoNowhere = false)
    {
        StatXResult result = default;
        fixed (byte* first = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
            return ShowStat($"statx(path, {flags})", Kernel.StatX(StatXRequest.WorkingDirectory, first, flags, StatXMask.BasicStats, intoNowhere ? null : &result), result);
    }

    private Outcome ShowStat(string call, int error, in StatXResult result)
    {
        bool isFile = result.FileType == 0x8000;
        if (error == 0)
            Note($"{call} = type {result.FileType:x}{(isFile ? $", mode {result.Mode & 0xFFF:x}, links {result.Links}" : "")}");
        return Call(call, error < 0 ? error : isFile ? (long)result.Size : 0);
    }
}
