using System.Collections;

namespace Weir;

public sealed unsafe partial class ChildProcess
{
    private const int FirstFreeDescriptor = 3;

    private PipeEnd? _input;
    private PipeEnd? _output;
    private PipeEnd? _error;

    /// <summary>Writes what the child reads.</summary>
    /// <exception cref="InvalidOperationException">It was started without <see cref="ChildStream.Pipe"/> there.</exception>
    public PipeEnd StandardInput => _input ?? throw NoPipe(nameof(StandardInput));

    /// <summary>Reads what the child writes. Who does not read it stops the child when the pipe is full (64 KiB).</summary>
    /// <exception cref="InvalidOperationException">
    /// It was started without <see cref="ChildStream.Pipe"/> there, or another child reads it (<see cref="ChildStream.OutputOf"/>).
    /// </exception>
    public PipeEnd StandardOutput => _output ?? throw NoPipe(nameof(StandardOutput));

    /// <summary>Reads what the child writes to its standard error.</summary>
    /// <exception cref="InvalidOperationException">It was started without <see cref="ChildStream.Pipe"/> there.</exception>
    public PipeEnd StandardError => _error ?? throw NoPipe(nameof(StandardError));

    /// <summary>Starts a program on the current loop.</summary>
    /// <exception cref="KernelException">
    /// ENOENT, EACCES, ENOEXEC: no such program, or none that may be run; E2BIG: arguments and environment are too large; EMFILE and the like.
    /// Nothing runs and nothing is left open.
    /// </exception>
    /// <exception cref="ArgumentException">A string has a zero character in it, or a variable's name is none.</exception>
    /// <remarks>
    /// <para>The child has signals as a program expects them: none blocked, none ignored, not even those that .NET ignores. It has no descriptors but
    /// the three standard ones (where the C library is older than glibc 2.34: and those of this process that are not close-on-exec).</para>
    /// <para>The call takes as long as the kernel needs to load the program, half a millisecond or so, and the loop waits for it. posix_spawn(3).</para>
    /// </remarks>
    public static ChildProcess Start(ChildProcessOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        EventLoop loop = EventLoop.Required;
        LeftChildren.Sweep();
        using var strings = new SpawnStrings();
        using var streams = new SpawnStreams(loop);
        SpawnRequest request = default;
        request.NewProcessGroup = options.NewProcessGroup;
        request.Arguments = strings.AddAll([options.FileName, .. options.Arguments], nameof(options.Arguments));
        request.Environment = strings.AddAll(EnvironmentOf(options), nameof(options.Environment));
        if (options.WorkingDirectory != null)
            request.WorkingDirectory = strings.Add(options.WorkingDirectory, nameof(options.WorkingDirectory));
        request.StandardInput = streams.Open(options.StandardInput, 0);
        request.StandardOutput = streams.Open(options.StandardOutput, 1);
        request.StandardError = options.StandardError.Kind == ChildStreamKind.SameAsOutput
            ? streams.Same(request.StandardOutput)
            : streams.Open(options.StandardError, 2);

        int processId = Spawn(loop.Kernel, &request, options, strings);
        ChildProcess child;
        try
        {
            child = new ChildProcess(loop, processId, request.ProcessDescriptor, reaps: true);
        }
        catch
        {
            // It runs, and the loop cannot watch it: that is no start.
            KillAtOnce(loop.Kernel, request.ProcessDescriptor);
            throw;
        }

        (child._input, child._output, child._error) = streams.TakePipes();
        streams.TakeOutput();
        return child;
    }

    /// <summary>As <see cref="Start(ChildProcessOptions)"/>, with this process's own standard streams, environment and directory.</summary>
    public static ChildProcess Start(string fileName, params IReadOnlyList<string> arguments) => Start(new ChildProcessOptions(fileName, arguments));

    // What another child is to read.
    private int OutputDescriptor
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            int fd = StandardOutput.FileDescriptor;
            ObjectDisposedException.ThrowIf(fd < 0, StandardOutput);
            return fd;
        }
    }

    private void GiveOutput()
    {
        _output!.Dispose();
        _output = null;
    }

    private static int Spawn(Kernel kernel, SpawnRequest* request, ChildProcessOptions options, SpawnStrings strings)
    {
        int result = -(int)Errno.ENOENT;
        foreach (string path in Candidates(options))
        {
            request->Path = strings.Add(path, nameof(options.FileName));
            // A look is cheaper than a child that finds nothing. The rest is the kernel's to decide.
            if (!IsPath(options.FileName) && !IsFile(kernel, request->Path))
                continue;
            int error = kernel.Spawn(request);
            if (error >= 0)
                return error;
            // As a shell looks: what may not be run is passed over, and told of if nothing else is found.
            result = error;
            if (error != -(int)Errno.EACCES)
                break;
        }

        string where = options.WorkingDirectory == null ? "" : $" in {options.WorkingDirectory}";
        string searched = IsPath(options.FileName) ? "" : ", looked for in PATH";
        throw new KernelException($"posix_spawn({options.FileName}{where}{searched})", -1, (Errno)(-result));
    }

    private static bool IsPath(string fileName) => fileName.Contains('/');

    private static IEnumerable<string> Candidates(ChildProcessOptions options)
    {
        const string DefaultPath = "/bin:/usr/bin";
        if (IsPath(options.FileName))
        {
            // The child changes its directory first: a relative path would begin there.
            yield return options.WorkingDirectory == null ? options.FileName : Path.GetFullPath(options.FileName);
            yield break;
        }

        foreach (string directory in (Environment.GetEnvironmentVariable("PATH") ?? DefaultPath).Split(':'))
            yield return Path.Combine(Path.GetFullPath(directory.Length == 0 ? "." : directory), options.FileName);
    }

    private static bool IsFile(Kernel kernel, byte* path)
    {
        StatXResult found;
        return kernel.StatX(StatXRequest.WorkingDirectory, path, StatXFlags.None, StatXMask.Type, &found) == 0 && found.IsRegularFile;
    }

    private static List<string> EnvironmentOf(ChildProcessOptions options)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        if (options.InheritEnvironment)
        {
            foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
                variables[(string)variable.Key] = (string?)variable.Value ?? "";
        }

        foreach ((string name, string? value) in options.Environment)
        {
            if (name.Length == 0 || name.Contains('='))
                throw new ArgumentException($"'{name}' is no name of an environment variable.", nameof(options));
            if (value == null)
                variables.Remove(name);
            else
                variables[name] = value;
        }

        return [.. variables.Select(variable => $"{variable.Key}={variable.Value}")];
    }

    private static void KillAtOnce(Kernel kernel, int pidFd)
    {
        if (pidFd < 0)
            return;
        const int KillSignal = 9, MostMilliseconds = 1000;
        kernel.PidFdSendSignal(pidFd, KillSignal);
        PollEntry entry = new() { Descriptor = pidFd, Events = (short)EpollEvents.In };
        kernel.Poll(&entry, 1, MostMilliseconds);
        LeftChildren.AddUnlessEnded(kernel, pidFd);
    }

    private static InvalidOperationException NoPipe(string stream)
        => new($"The process has no pipe there: start it with {stream} = ChildStream.Pipe.");

    /// <summary>The standard descriptors of a child to be. What it still holds when disposed is closed.</summary>
    private sealed class SpawnStreams(EventLoop loop) : IDisposable
    {
        private readonly PipeEnd?[] _pipes = new PipeEnd?[3];
        private readonly List<int> _toClose = [];
        private ChildProcess? _source; // whose output the child reads

        /// <summary>The descriptor that becomes descriptor <paramref name="standard"/> of the child; -1: this process's own.</summary>
        internal int Open(ChildStream stream, int standard) => stream.Kind switch
        {
            ChildStreamKind.Inherit => -1,
            ChildStreamKind.Null => Lift(Keep(OpenNull()), standard),
            ChildStreamKind.Pipe => Lift(OpenPipe(standard), standard),
            ChildStreamKind.Descriptor => Lift(stream.FileDescriptor, standard),
            ChildStreamKind.OutputOf when standard == 0 => OpenOutputOf(stream.Source!),
            ChildStreamKind.OutputOf => throw new ArgumentException("Only the standard input can be the output of another child."),
            _ => throw new ArgumentException("Only the standard error can be the same as the standard output."),
        };

        /// <summary>The standard error, for a standard output from <see cref="Open"/>.</summary>
        internal int Same(int output) => output is < 0 or 1 ? Lift(1, 2) : output;

        // Number by number a descriptor is put in place in the child: one that stands where another is to go would be overwritten first.
        private int Lift(int fd, int standard)
            => fd >= FirstFreeDescriptor || fd == standard
                ? fd
                : Keep(KernelException.Check(loop.Kernel.Fcntl(fd, FcntlCommand.DupCloseOnExec, FirstFreeDescriptor), "fcntl(F_DUPFD_CLOEXEC)", fd));

        private int OpenNull()
        {
            fixed (byte* path = "/dev/null\0"u8)
                return KernelException.Check(loop.Kernel.Open(path, FileFlags.ReadWrite | FileFlags.CloseOnExec, 0), "open(/dev/null)");
        }

        // A duplicate: the output stays that child's until the one that reads it runs. Programs expect a pipe that blocks, and both numbers are of one open
        // file description.
        private int OpenOutputOf(ChildProcess source)
        {
            int fd = source.OutputDescriptor;
            int duplicate = Keep(KernelException.Check(loop.Kernel.Fcntl(fd, FcntlCommand.DupCloseOnExec, FirstFreeDescriptor), "fcntl(F_DUPFD_CLOEXEC)", fd));
            _source = source;
            SetStatusOfOutput(default);
            return duplicate;
        }

        private void SetStatusOfOutput(FileFlags flags) => loop.Kernel.Fcntl(_source!.OutputDescriptor, FcntlCommand.SetStatusFlags, (int)flags);

        // Our end is non-blocking; the child's is as programs expect it.
        private int OpenPipe(int standard)
        {
            bool childReads = standard == 0;
            int* fds = stackalloc int[2];
            KernelException.Check(loop.Kernel.Pipe2(fds, FileFlags.CloseOnExec), "pipe2");
            (int theirs, int ours) = childReads ? (fds[0], fds[1]) : (fds[1], fds[0]);
            Keep(theirs);
            int result = loop.Kernel.Fcntl(ours, FcntlCommand.SetStatusFlags, (int)FileFlags.NonBlock);
            if (result < 0)
            {
                loop.Kernel.Close(ours);
                throw new KernelException("fcntl(F_SETFL)", ours, (Errno)(-result));
            }

            _pipes[standard] = PipeEnd.Adopt(loop, ours, reads: !childReads);
            return theirs;
        }

        private int Keep(int fd)
        {
            _toClose.Add(fd);
            return fd;
        }

        internal (PipeEnd? Input, PipeEnd? Output, PipeEnd? Error) TakePipes()
        {
            (PipeEnd?, PipeEnd?, PipeEnd?) pipes = (_pipes[0], _pipes[1], _pipes[2]);
            Array.Clear(_pipes);
            return pipes;
        }

        /// <summary>The child runs: what it reads is nobody else's any more.</summary>
        internal void TakeOutput()
        {
            _source?.GiveOutput();
            _source = null;
        }

        public void Dispose()
        {
            if (_source != null)
                SetStatusOfOutput(FileFlags.NonBlock);
            foreach (int fd in _toClose)
                loop.Kernel.Close(fd);
            foreach (PipeEnd? pipe in _pipes)
                pipe?.Dispose();
        }
    }
}
