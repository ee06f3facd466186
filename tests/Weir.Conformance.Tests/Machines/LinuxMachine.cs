using System.Diagnostics;
using System.Text;

namespace Weir.Conformance;

/// <summary>The kernel that this process runs on, with real threads, signals and time.</summary>
public sealed unsafe partial class LinuxMachine : Machine
{
    private readonly List<int> _numbers = [];

    public LinuxMachine() => LinuxSignals.Prepare();

    public override string Name => "linux";

    public override Kernel Kernel => Weir.Kernel.Linux;

    public override int PageSize => Environment.SystemPageSize;

    // Running

    private protected override MachineThread CreateThread(string name, DescriptorTable table) => new LinuxThread(name, table);

    // The main thread, too, is one of the program's own: it may block signals, and dies with them.
    protected override void Execute(MachineThread main, Action body)
    {
        ((LinuxThread)main).Start(body, ownDescriptors: false);
        AwaitEnd(main);
    }

    private protected override void Launch(MachineThread thread, Action body)
        => ((LinuxThread)thread).Start(body, ownDescriptors: thread.Table != Current.Table);

    private protected override void AwaitEnd(MachineThread thread)
    {
        if (!((LinuxThread)thread).Join(Patience))
            Fail($"'{thread}' has not ended within {Patience.TotalSeconds} s: it waits for something that never comes");
    }

    protected override void ReleaseThreads(IReadOnlyList<MachineThread> threads)
    {
        // A signal ends the wait that a thread is in; what it does next fails soon, or the next signal ends it.
        long start = Stopwatch.GetTimestamp();
        foreach (LinuxThread thread in threads.Cast<LinuxThread>())
        {
            while (!thread.Join(TimeSpan.FromMilliseconds(1)) && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5))
                thread.Send(Signal.Handled);
        }
    }

    protected override void ReleaseDescriptors(IReadOnlyList<Fd> descriptors)
    {
        foreach (Fd fd in descriptors)
            Kernel.Close(fd.Number);
        lock (_numbers)
            PrivateNumbers.Return(_numbers);
    }

    protected override int Adopt(int number)
    {
        int own = PrivateNumbers.Move(Kernel, number);
        lock (_numbers)
            _numbers.Add(own);
        return own;
    }

    // Waiting

    public override void UntilBlocked(MachineThread thread)
    {
        long start = Stopwatch.GetTimestamp();
        while (!((LinuxThread)thread).IsBlocked)
        {
            if (thread.HasEnded)
                Fail($"'{thread}' has ended instead of blocking{(thread.Failure is { } failure ? $": {failure.SourceException.Message}" : "")}");
            if (Stopwatch.GetElapsedTime(start) > Patience)
                Fail($"'{thread}' does not block");
            Thread.Yield();
        }
    }

    // Somebody who is found blocked may have been woken by one that is looked at later; but then the next round finds that something has
    // happened since: somebody runs, has ended, or has slept once more than before.
    public override void UntilQuiet()
    {
        long start = Stopwatch.GetTimestamp();
        string last = "";
        while (true)
        {
            string now = Describe();
            if (now.Length > 0 && now == last)
                return;
            last = now;
            if (Stopwatch.GetElapsedTime(start) > Patience)
                Fail("the program's threads do not come to rest");
            Thread.Yield();
        }
    }

    // What the threads are at, with the number of times each has slept; empty if one runs.
    private string Describe()
    {
        StringBuilder text = new("|");
        foreach (LinuxThread thread in Threads.Cast<LinuxThread>().Where(thread => thread != Current))
        {
            if (thread.HasEnded)
                text.Append("ended|");
            else if (thread.Rest is { } sleeps)
                text.Append(sleeps).Append('|');
            else
                return "";
        }

        return text.ToString();
    }

    public override void Sleep(int milliseconds)
    {
        Note($"sleep {milliseconds} ms");
        Thread.Sleep(milliseconds);
    }

    // Signals

    private protected override void SendSignal(MachineThread thread, Signal signal) => ((LinuxThread)thread).Send(signal);

    private protected override void BlockSignal(Signal signal)
    {
        SignalSet set = SignalSet.Of(signal);
        Native.pthread_sigmask(Native.SigBlock, &set, null);
    }

    private protected override bool HasPending(Signal signal)
    {
        SignalSet set;
        Native.sigpending(&set);
        return set.Contains(signal);
    }

    private protected override int CreateEpoll(int size) => Native.Result(Native.epoll_create(size));

    private protected override int WaitWithSignal(int epfd, void* events, int max, int timeout, Signal signal)
    {
        SignalSet mask;
        Native.pthread_sigmask(Native.SigBlock, null, &mask);
        mask.Remove(signal);
        return Native.Result(Native.epoll_pwait(epfd, events, max, timeout, &mask));
    }

    // libc's own call has no such argument.
    private protected override int WaitWithSet(int epfd, void* events, int max, int size)
    {
        const nint epollPWait2 = 441;
        SignalSet blocked;
        Native.pthread_sigmask(Native.SigBlock, null, &blocked);
        TimeSpec now = default;
        return Native.Result((int)Native.syscall(epollPWait2, epfd, (nint)events, max, (nint)(&now), (nint)(&blocked), size));
    }

    // A process that has stopped cannot let itself go on: a shell does, once it sees that the process has stopped.
    private protected override void StopAndContinueProcess()
    {
        const string script = "kill -STOP $1; until grep -q '^State:.T' /proc/$1/status; do :; done; kill -CONT $1";
        int shell = Spawn("sh", "-c", script, "sh", Environment.ProcessId.ToString());
        EndOf(shell);
    }

    // Processes

    private protected override int SpawnChild()
    {
        int child = Spawn("sleep", "1000");
        AtEnd(() =>
        {
            // It is there still if the program has failed.
            if (Native.waitid(Native.WaitForPid, child, null, Native.WaitExited | Native.WaitKeep | 1) == 0 && Native.kill(child, Native.SigKill) == 0)
                EndOf(child);
        });
        return child;
    }

    private protected override void EndChild(int process)
    {
        Native.kill(process, Native.SigKill);
        byte* information = stackalloc byte[128];
        while (Native.Result(Native.waitid(Native.WaitForPid, process, information, Native.WaitExited | Native.WaitKeep)) == -(int)Errno.EINTR)
        {
        }
    }

    private protected override int ReapChild(int process)
    {
        byte* information = stackalloc byte[128];
        return Native.Result(Native.waitid(Native.WaitForPid, process, information, Native.WaitExited));
    }

    private void EndOf(int process)
    {
        while (ReapChild(process) == -(int)Errno.EINTR)
        {
        }
    }

    private int Spawn(params string[] arguments)
    {
        byte[][] texts = [.. arguments.Select(argument => (byte[])[.. Encoding.UTF8.GetBytes(argument), 0])];
        byte** pointers = stackalloc byte*[texts.Length + 1];
        byte* memory = stackalloc byte[texts.Sum(text => text.Length)];
        for (int i = 0; i < texts.Length; i++)
        {
            texts[i].CopyTo(new Span<byte>(memory, texts[i].Length));
            pointers[i] = memory;
            memory += texts[i].Length;
        }

        pointers[texts.Length] = null;
        byte* none = null;
        int process;
        int error = Native.posix_spawnp(&process, pointers[0], null, null, pointers, &none);
        if (error != 0)
            Fail($"'{arguments[0]}' cannot be started: {(Errno)error}");
        return process;
    }

    // By the bare calls, which change one thread alone; libc's would change all.
    private protected override void ChangeUser(uint user, uint group)
    {
        bool isX64 = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64;
        nint setUser = isX64 ? 117 : 147, setGroup = isX64 ? 119 : 149;
        if (Native.syscall(setGroup, (nint)group, (nint)group, (nint)group, 0, 0, 0) != 0 || Native.syscall(setUser, (nint)user, (nint)user, (nint)user, 0, 0, 0) != 0)
            Fail("another user cannot be had");
    }

    // Files

    private protected override int OpenUnpollable(UnpollableFile file)
    {
        const FileFlags pathOnly = (FileFlags)0x200000; // O_PATH
        switch (file)
        {
            case UnpollableFile.Regular:
                string path = Path.GetTempFileName();
                int fd = OpenPath(path, FileFlags.ReadWrite);
                File.Delete(path);
                return fd;
            case UnpollableFile.Directory:
                return OpenPath("/", FileFlags.ReadOnly);
            case UnpollableFile.Null:
                return OpenPath("/dev/null", FileFlags.ReadWrite);
            case UnpollableFile.Zero:
                return OpenPath("/dev/zero", FileFlags.ReadWrite);
            case UnpollableFile.Memory:
                byte name = 0;
                return Native.Result(Native.memfd_create(&name, 1)); // MFD_CLOEXEC
            default:
                return OpenPath("/", pathOnly);
        }
    }

    private int OpenPath(string path, FileFlags flags)
    {
        fixed (byte* first = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
            return Kernel.Open(first, flags | FileFlags.CloseOnExec, 0);
    }

    private protected override string NewPath()
    {
        string path = Path.Combine(Path.GetTempPath(), $"weir-{Guid.NewGuid():N}");
        AtEnd(() =>
        {
            if (!Directory.Exists(path)) // that is cleared in another way
                File.Delete(path);
        });
        return path;
    }

    // By the door, since a name need not be one that the framework can spell.
    private protected override void Clear(string folder)
    {
        const int ofDirectory = 4;
        foreach ((string name, byte type) in EntriesOf(folder))
        {
            if (type == ofDirectory)
            {
                Clear($"{folder}/{name}");
                continue;
            }

            fixed (byte* path = PathText.Encode($"{folder}/{name}", terminated: true))
                Kernel.Unlink(path);
        }

        fixed (byte* path = PathText.Encode(folder, terminated: true))
            Kernel.RemoveDirectory(path);
    }

    private List<(string Name, byte Type)> EntriesOf(string folder)
    {
        const int header = 19; // struct linux_dirent64
        List<(string, byte)> entries = [];
        int fd;
        fixed (byte* path = PathText.Encode(folder, terminated: true))
            fd = Kernel.Open(path, FileFlags.ReadOnly | FileFlags.CloseOnExec, 0);
        byte* bytes = stackalloc byte[8192];
        int count;
        while (fd >= 0 && (count = Kernel.GetDents64(fd, bytes, 8192)) > 0)
        {
            for (byte* at = bytes; at < bytes + count; at += *(ushort*)(at + 16))
            {
                string name = PathText.Decode(System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpanFromNullTerminated(at + header));
                if (name is not ("." or ".."))
                    entries.Add((name, at[header - 1]));
            }
        }

        if (fd >= 0)
            Kernel.Close(fd);
        return entries;
    }

    private protected override byte* MapWithHole(int usable)
    {
        nuint page = (nuint)PageSize;
        byte* start = Native.mmap(null, 2 * page, Native.ProtRead | Native.ProtWrite, Native.MapPrivateAnonymous, -1, 0);
        if (start == (byte*)-1 || Native.mprotect(start + page, page, 0) != 0)
            Fail("no memory");
        AtEnd(() => Native.munmap(start, 2 * page));
        return start + page - usable;
    }
}
