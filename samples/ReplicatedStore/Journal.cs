using System.Text;
using Weir;

namespace ReplicatedStore;

/// <summary>
/// What a replica has promised to hold, on disk, through the door to the kernel, so that it is a real file under a real kernel and an emulated one under
/// an emulated kernel. Each start of the replica begins a file of its own, so that nothing is ever written behind a record that a crash has torn.
/// </summary>
public sealed unsafe class Journal : IDisposable
{
    private const FileFlags DataSync = (FileFlags)0x1000; // O_DSYNC: a write returns when the bytes are on the disk

    private readonly Kernel _kernel;
    private int _fd;

    private Journal(Kernel kernel, int fd)
    {
        _kernel = kernel;
        _fd = fd;
    }

    /// <summary>Hands over all records of earlier starts, in order, and begins a file for this one.</summary>
    /// <param name="kernel">Whose files.</param>
    /// <param name="path">The files are called this, and then ".0", ".1" and so on.</param>
    /// <param name="recall">Gets each record.</param>
    /// <exception cref="KernelException">A file cannot be opened or read.</exception>
    public static Journal Open(Kernel kernel, string path, Action<Message> recall)
    {
        for (int number = 0; ; number++)
        {
            string name = $"{path}.{number}";
            int fd = Open(kernel, name, FileFlags.ReadOnly);
            if (fd == -(int)Errno.ENOENT)
            {
                fd = Open(kernel, name, FileFlags.WriteOnly | FileFlags.Create | FileFlags.Exclusive | DataSync);
                return new Journal(kernel, KernelException.Check(fd, $"open({name})"));
            }

            ReadOnlySpan<byte> bytes = ReadAll(kernel, KernelException.Check(fd, $"open({name})"));
            while (Wire.TryTake(ref bytes, out Message? record))
                recall(record!);
        }
    }

    /// <summary>Writes a record. When it returns, a crash can take it away no more. The loop stands still meanwhile: files have no readiness to wait for.</summary>
    /// <exception cref="KernelException">It was not written, or only in part. The journal takes no more.</exception>
    /// <exception cref="ObjectDisposedException">It takes no more.</exception>
    public void Append(Message record)
    {
        ObjectDisposedException.ThrowIf(_fd < 0, this);
        ReadOnlySpan<byte> left = Wire.Encode(record);
        while (left.Length > 0)
        {
            nint written;
            fixed (byte* start = left)
                written = _kernel.Write(_fd, start, (nuint)left.Length);
            if (written > 0)
            {
                left = left[(int)written..];
            }
            else if (written != -(int)Errno.EINTR)
            {
                int fd = _fd;
                Dispose(); // what came after a torn record would never be read
                throw new KernelException("write", fd, (Errno)(-written));
            }
        }
    }

    public void Dispose()
    {
        if (_fd >= 0)
            _kernel.Close(_fd);
        _fd = -1;
    }

    private static int Open(Kernel kernel, string path, FileFlags flags)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
            return kernel.Open(name, flags | FileFlags.CloseOnExec, 0b110_100_100);
    }

    private static byte[] ReadAll(Kernel kernel, int fd)
    {
        byte[] bytes = new byte[4096];
        int length = 0;
        nint count;
        do
        {
            if (length == bytes.Length)
                Array.Resize(ref bytes, length * 2);
            fixed (byte* room = &bytes[length])
                count = kernel.Read(fd, room, (nuint)(bytes.Length - length));
            length += (int)Math.Max(count, 0);
        }
        while (count > 0 || count == -(int)Errno.EINTR);
        kernel.Close(fd);
        return count == 0 ? bytes[..length] : throw new KernelException("read", fd, (Errno)(-count));
    }
}
