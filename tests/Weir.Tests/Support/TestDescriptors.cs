namespace Weir.Tests;

/// <summary>Descriptors of the real kernel for one test, closed when it ends.</summary>
internal sealed unsafe class TestDescriptors : IDisposable
{
    // Numbers from here on are out of reach of everything else in the process, since the kernel hands out the lowest free one; and each
    // is asked for once only. What a test closes here stays closed until the test itself uses the number again.
    private static int s_private = 1500;

    private readonly List<int> _open = [];

    /// <summary>An event counter; not ready until written to.</summary>
    internal int EventFd(uint count = 0) => Keep(Kernel.Linux.EventFd(count, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec));

    /// <summary>A pipe.</summary>
    internal (int Read, int Write) Pipe()
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, Kernel.Linux.Pipe2(fds, FileFlags.NonBlock | FileFlags.CloseOnExec));
        return (Keep(fds[0]), Keep(fds[1]));
    }

    /// <summary>Two connected unix stream sockets.</summary>
    internal (int Left, int Right) SocketPair()
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, Kernel.Linux.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds));
        return (Keep(fds[0]), Keep(fds[1]));
    }

    /// <summary>A duplicate whose number nobody else gets after it is closed.</summary>
    internal int PrivateDuplicate(int fd)
    {
        // F_DUPFD takes the lowest free number from its argument on. Atomic, for tests run beside each other.
        return Keep(Kernel.Linux.Fcntl(fd, FcntlCommand.DupCloseOnExec, Interlocked.Increment(ref s_private)));
    }

    /// <summary>Makes <paramref name="newFd"/> another number for the file behind <paramref name="fd"/>, closing what it was.</summary>
    internal void DuplicateOnto(int fd, int newFd)
    {
        Assert.Equal(newFd, Kernel.Linux.Dup3(fd, newFd, FileFlags.CloseOnExec));
        if (!_open.Contains(newFd))
            _open.Add(newFd);
    }

    /// <summary>Keeps a descriptor that the test made itself.</summary>
    internal int Keep(int fd)
    {
        Assert.True(fd >= 0, $"no descriptor: {(Errno)(-fd)}");
        _open.Add(fd);
        return fd;
    }

    /// <summary>Closes one before the end of the test.</summary>
    internal void Close(int fd)
    {
        Assert.True(_open.Remove(fd));
        Assert.Equal(0, Kernel.Linux.Close(fd));
    }

    /// <summary>Adds to an event counter.</summary>
    internal static void Signal(int eventFd, ulong value = 1) => Assert.Equal(8, Kernel.Linux.Write(eventFd, &value, 8));

    /// <summary>Takes an event counter back to zero.</summary>
    internal static ulong Drain(int eventFd)
    {
        ulong value;
        Assert.Equal(8, Kernel.Linux.Read(eventFd, &value, 8));
        return value;
    }

    /// <summary>Writes so many bytes.</summary>
    internal static void Write(int fd, int count = 1)
    {
        byte* bytes = stackalloc byte[count];
        Assert.Equal(count, Kernel.Linux.Write(fd, bytes, (nuint)count));
    }

    /// <summary>Reads at most so many bytes; the result is the door's.</summary>
    internal static int Read(int fd, int count = 1)
    {
        byte* bytes = stackalloc byte[count];
        return (int)Kernel.Linux.Read(fd, bytes, (nuint)count);
    }

    public void Dispose()
    {
        foreach (int fd in _open)
            Kernel.Linux.Close(fd);
        _open.Clear();
    }
}
