using System.Runtime.CompilerServices;
using System.Text;

namespace Weir.Simulation.Tests;

/// <summary>Calls a kernel and writes down what comes back, so that two kernels are compared line by line.</summary>
internal sealed unsafe class Probe(Kernel kernel) : IDisposable
{
    internal const FileFlags NonBlocking = FileFlags.NonBlock | FileFlags.CloseOnExec;
    private const uint FileRead = 0x541B; // FIONREAD

    private readonly byte[] _bytes = GC.AllocateArray<byte>(1 << 20, pinned: true);
    private readonly Dictionary<int, string> _names = [];
    private readonly Dictionary<string, int> _open = [];

    /// <summary>An address that nothing is mapped at.</summary>
    internal static readonly nint Nowhere = 8;

    internal Kernel Kernel => kernel;

    internal List<string> Lines { get; } = [];

    internal byte* Bytes => (byte*)Unsafe.AsPointer(ref _bytes[0]);

    /// <summary>A directory for this run.</summary>
    internal string Path(string name) => $"/tmp/weir-{_run}-{name}";

    private readonly string _run = Guid.NewGuid().ToString("N");

    internal void Note(string line) => Lines.Add(line);

    internal nint Log(nint result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        Lines.Add($"{call} = {Show(result)}");
        return result;
    }

    internal static string Show(nint result) => result < 0 ? ((Errno)(int)-result).ToString() : result.ToString();

    /// <summary>Gives a descriptor a name; a refusal is written down.</summary>
    internal int Keep(int fd, string name)
    {
        Lines.Add(fd < 0 ? $"{name} = {Show(fd)}" : name);
        if (fd >= 0)
        {
            _names[fd] = name;
            _open[name] = fd;
        }

        return fd;
    }

    internal (int Read, int Write) Pipe(FileFlags flags = NonBlocking, string name = "pipe")
    {
        int* fds = stackalloc int[2];
        if (Log(kernel.Pipe2(fds, flags), $"{name} = pipe2({flags})") < 0)
            return (-1, -1);
        return (Keep(fds[0], name + ".r"), Keep(fds[1], name + ".w"));
    }

    internal int Open(string path, FileFlags flags, string name, int mode = 0x180)
    {
        fixed (byte* first = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
            return Keep(kernel.Open(first, flags | FileFlags.CloseOnExec, mode), name);
    }

    internal void TryOpen(string path, FileFlags flags)
    {
        fixed (byte* first = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
        {
            int fd = kernel.Open(first, flags | FileFlags.CloseOnExec, 0x180);
            Log(Math.Min(fd, 0), $"open({path.Replace(_run, "")}, {flags})");
            if (fd >= 0)
                kernel.Close(fd);
        }
    }

    internal int MakeFifo(string path)
    {
        fixed (byte* first = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
            return (int)Log(kernel.MakeFifo(first, 0x180), $"mkfifo({path.Replace(_run, "")})");
    }

    internal int Unlink(string path)
    {
        fixed (byte* first = (byte[])[.. Encoding.UTF8.GetBytes(path), 0])
            return (int)Log(kernel.Unlink(first), $"unlink({path.Replace(_run, "")})");
    }

    internal nint Write(int fd, nint count) => Log(kernel.Write(fd, Bytes, (nuint)count), $"write({Name(fd)}, {count})");

    internal nint Read(int fd, nint count) => Log(kernel.Read(fd, Bytes, (nuint)count), $"read({Name(fd)}, {count})");

    internal void WriteNowhere(int fd, nint count) => Log(kernel.Write(fd, (void*)Nowhere, (nuint)count), $"write({Name(fd)}, nowhere, {count})");

    internal void ReadNowhere(int fd, nint count) => Log(kernel.Read(fd, (void*)Nowhere, (nuint)count), $"read({Name(fd)}, nowhere, {count})");

    internal void Fill(int fd, nint block = 4096)
    {
        nint total = 0, count;
        while ((count = kernel.Write(fd, Bytes, (nuint)block)) > 0)
            total += count;
        Log(total, $"fill({Name(fd)}, {block})");
    }

    internal void Drain(int fd)
    {
        nint total = 0, count;
        while ((count = kernel.Read(fd, Bytes, 4096)) > 0)
            total += count;
        Log(total, $"drain({Name(fd)}), then {Show(count)}");
    }

    internal nint Splice(int from, int to, nint count, SpliceFlags flags = SpliceFlags.NonBlock)
        => Log(kernel.Splice(from, null, to, null, (nuint)count, flags), $"splice({Name(from)}, {Name(to)}, {count}, {flags})");

    internal void Readable(int fd)
    {
        int count = 0;
        int result = kernel.Ioctl(fd, FileRead, &count);
        Log(result < 0 ? result : count, $"FIONREAD({Name(fd)})");
    }

    internal void PipeSize(int fd, nint size) => Log(kernel.Fcntl(fd, FcntlCommand.SetPipeSize, size), $"F_SETPIPE_SZ({Name(fd)}, {size})");

    internal void StatusFlags(int fd) => Log(kernel.Fcntl(fd, FcntlCommand.GetStatusFlags, 0), $"F_GETFL({Name(fd)})");

    internal void Close(int fd) => Log(kernel.Close(fd), $"close({Name(fd)})");

    internal EpollEvents Poll(int fd)
    {
        var entry = new PollEntry { Descriptor = fd, Events = 0x3FFF };
        kernel.Poll(&entry, 1, 0);
        Note($"poll({Name(fd)}) = {(EpollEvents)(ushort)entry.Returned}");
        return (EpollEvents)(ushort)entry.Returned;
    }

    internal int Epoll() => kernel.EpollCreate1(FileFlags.CloseOnExec);

    internal int Add(int epoll, int fd, EpollEvents events)
    {
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, events, (ulong)fd);
        return (int)Log(kernel.EpollCtl(epoll, EpollOp.Add, fd, entry), $"add({Name(fd)}, {events})");
    }

    /// <summary>What epoll_wait gives now; what is asked for is edge-triggered, so this is what has happened since the last time.</summary>
    internal void Events(int epoll, string after)
    {
        byte* events = stackalloc byte[16 * 16];
        int count = kernel.EpollWait(epoll, events, 16, 0);
        var line = new StringBuilder($"after {after}:");
        for (int i = 0; i < count; i++)
            line.Append($" {Name((int)EpollEventLayout.Data(events, i))}: {EpollEventLayout.Events(events, i)};");
        Note(line.ToString());
    }

    private string Name(int fd) => _names.GetValueOrDefault(fd) ?? (fd < 0 ? "none" : "unnamed");

    public void Dispose()
    {
        foreach (int fd in _open.Values)
            kernel.Close(fd);
    }
}

/// <summary>Runs one body on the kernel of this machine and on the emulated one.</summary>
internal static class TwoKernels
{
    /// <summary>Asserts that both kernels answer alike, and returns what they said.</summary>
    internal static List<string> Agree(Action<Probe> body)
    {
        List<string> real = Run(Kernel.Linux, body);
        List<string> simulated = Simulated(body);
        // The first difference with its surroundings says more than two long lists.
        for (int i = 0; i < Math.Max(real.Count, simulated.Count); i++)
        {
            string one = i < real.Count ? real[i] : "(end)", other = i < simulated.Count ? simulated[i] : "(end)";
            if (one != other)
                Assert.Fail($"{string.Join('\n', real.Take(i).TakeLast(12))}\nLinux:     {one}\nsimulated: {other}");
        }

        return simulated;
    }

    internal static List<string> Simulated(Action<Probe> body)
    {
        List<string> lines = [];
        Sim.Run(
            1,
            sim =>
            {
                // In a process of its own: the loop's descriptors and threads have no part in it.
                SimKernel process = sim.Kernel.Fork("body");
                process.Exec();
                sim.Thread("body", () => lines = Run(process, body), process);
                return Task.CompletedTask;
            },
            Threads.Options(SimMode.Threads));
        return lines;
    }

    private static List<string> Run(Kernel kernel, Action<Probe> body)
    {
        using var probe = new Probe(kernel);
        body(probe);
        return probe.Lines;
    }
}
