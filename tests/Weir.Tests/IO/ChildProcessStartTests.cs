#pragma warning disable CA1416 // Rights that Windows does not have; Weir is for Linux.

namespace Weir.Tests;

/// <summary>What a child gets from its parent, and what is left when there is none.</summary>
[Collection(Alone.Name)] // a child has for a moment a copy of every descriptor there is
public class ChildProcessStartTests : NetTestBase
{
    private static ChildProcessOptions Shell(string script) => new("sh", "-c", script)
    {
        StandardInput = ChildStream.Null,
        StandardOutput = ChildStream.Pipe,
    };

    private static async Task<string> OutputOf(ChildProcessOptions options)
    {
        using ChildProcess child = ChildProcess.Start(options);
        string output = await TextOf(child.StandardOutput);
        Assert.Equal("exit code 0", (await child.WaitForExitAsync()).ToString());
        return output;
    }

    private static async Task<string> TextOf(Stream stream)
    {
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }

    [Fact]
    public void Input_and_output_are_streams() => Run(async () =>
    {
        using ChildProcess child = ChildProcess.Start(new ChildProcessOptions("cat") { StandardInput = ChildStream.Pipe, StandardOutput = ChildStream.Pipe });
        byte[] sent = Pattern(1 << 20), received = new byte[1 << 20];
        Task write = Write();
        await child.StandardOutput.ReadExactlyAsync(received);
        Assert.Equal(0, await child.StandardOutput.ReadAsync(new byte[1]));
        await write;
        Assert.Equal(sent, received);
        Assert.True((await child.WaitForExitAsync()).IsSuccess);
        Assert.Throws<InvalidOperationException>(() => child.StandardError);

        async Task Write()
        {
            await child.StandardInput.WriteAsync(sent);
            child.StandardInput.Dispose();
        }
    });

    [Fact]
    public void Standard_error_goes_where_it_is_told() => Run(async () =>
    {
        const string Script = "echo out; echo err >&2";
        ChildProcessOptions merged = Shell(Script), apart = Shell(Script), dropped = Shell(Script);
        merged.StandardError = ChildStream.SameAsOutput;
        apart.StandardError = ChildStream.Pipe;
        dropped.StandardError = ChildStream.Null;
        Assert.Equal("out\nerr\n", await OutputOf(merged));
        Assert.Equal("out\n", await OutputOf(dropped));
        using ChildProcess child = ChildProcess.Start(apart);
        Assert.Equal(("out\n", "err\n"), (await TextOf(child.StandardOutput), await TextOf(child.StandardError)));
        await child.WaitForExitAsync();
    });

    [Fact]
    public void A_descriptor_given_to_a_child_stays_open_here() => Run(async () =>
    {
        (PipeEnd reader, PipeEnd writer) = PipeEnd.CreatePair();
        using PipeEnd first = reader, second = writer;
        // Both numbers are those of one file; the child gets duplicates.
        var options = new ChildProcessOptions("sh", "-c", "echo one; echo two >&2")
        {
            StandardOutput = ChildStream.FromDescriptor(writer.FileDescriptor),
            StandardError = ChildStream.FromDescriptor(writer.FileDescriptor),
        };
        using ChildProcess child = ChildProcess.Start(options);
        await child.WaitForExitAsync();
        await writer.WriteAsync(Bytes("three\n"));
        writer.Dispose();
        Assert.Equal("one\ntwo\nthree\n", await TextOf(reader));
    });

    [Fact]
    public void Children_are_joined_as_a_shell_joins_them() => Run(async () =>
    {
        using ChildProcess first = ChildProcess.Start(Shell("seq 1 100000"));
        using ChildProcess second = ChildProcess.Start(new ChildProcessOptions("grep", "7$") { StandardInput = ChildStream.OutputOf(first), StandardOutput = ChildStream.Pipe });
        using ChildProcess third = ChildProcess.Start(new ChildProcessOptions("wc", "-l") { StandardInput = ChildStream.OutputOf(second), StandardOutput = ChildStream.Pipe });
        Assert.Throws<InvalidOperationException>(() => first.StandardOutput);
        Assert.Equal("10000", (await TextOf(third.StandardOutput)).Trim());
        foreach (ChildProcess child in new[] { first, second, third })
            Assert.True((await child.WaitForExitAsync()).IsSuccess);
    });

    [Fact]
    public void An_output_stays_with_its_child_if_the_one_that_should_have_read_it_does_not_start() => Run(async () =>
    {
        using ChildProcess first = ChildProcess.Start(new ChildProcessOptions("yes") { StandardOutput = ChildStream.Pipe });
        Assert.Throws<KernelException>(() => ChildProcess.Start(new ChildProcessOptions("/weir/nothing") { StandardInput = ChildStream.OutputOf(first) }));
        Assert.Equal("y\ny\n", await ReadText(first.StandardOutput, 4));
        using (ChildProcess head = ChildProcess.Start(new ChildProcessOptions("head", "-c", "4") { StandardInput = ChildStream.OutputOf(first), StandardOutput = ChildStream.Pipe }))
            Assert.Equal(4, (await TextOf(head.StandardOutput)).Length);
        Assert.Throws<InvalidOperationException>(() => first.StandardOutput);
        Assert.Equal(13, (await first.WaitForExitAsync()).Signal); // SIGPIPE
        Assert.Throws<ArgumentException>(() => ChildProcess.Start(new ChildProcessOptions("true") { StandardOutput = ChildStream.OutputOf(first) }));
        Assert.Throws<ArgumentException>(() => ChildProcess.Start(new ChildProcessOptions("true") { StandardInput = ChildStream.SameAsOutput }));
    });

    [Fact]
    public void A_name_that_is_no_text_arrives_as_the_bytes_that_it_is() => Run(async () =>
    {
        string name = PathText.Decode([(byte)'x', 0xFF, 0xC3]);
        var options = new ChildProcessOptions("sh", "-c", "printf %s \"$1\" | od -An -tx1", "sh", name) { StandardOutput = ChildStream.Pipe };
        Assert.Equal("78 ff c3", (await OutputOf(options)).Trim());
    });

    [Fact]
    public void Arguments_environment_and_directory_arrive_as_given() => Run(async () =>
    {
        Assert.Equal("[a b][][*][ä]", await OutputOf(new ChildProcessOptions("printf", "[%s][%s][%s][%s]", "a b", "", "*", "ä") { StandardOutput = ChildStream.Pipe }));

        ChildProcessOptions options = Shell("echo $WEIR_ONE-${HOME-none}; pwd");
        options.Environment["WEIR_ONE"] = "1 = 1";
        options.Environment["HOME"] = null;
        options.WorkingDirectory = "/usr";
        Assert.Equal("1 = 1-none\n/usr\n", await OutputOf(options));

        var only = new ChildProcessOptions("/usr/bin/env") { StandardOutput = ChildStream.Pipe, InheritEnvironment = false };
        only.Environment["A"] = "b";
        Assert.Equal("A=b\n", await OutputOf(only));
    });

    [Fact]
    public void A_relative_path_begins_here_and_not_where_the_child_starts()
    {
        string script = NewPath();
        File.WriteAllText(script, "#!/bin/sh\npwd\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Run(async () =>
        {
            string relative = Path.GetRelativePath(Environment.CurrentDirectory, script);
            Assert.Contains('/', relative);
            Assert.Equal("/usr\n", await OutputOf(new ChildProcessOptions(relative) { WorkingDirectory = "/usr", StandardOutput = ChildStream.Pipe }));
        });
    }

    [Fact]
    public void A_child_has_no_signal_blocked_or_ignored() => Run(async () =>
    {
        string status = await OutputOf(new ChildProcessOptions("grep", "Sig[BI]", "/proc/self/status") { StandardOutput = ChildStream.Pipe });
        string[] lines = status.TrimEnd().Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.All(lines, line => Assert.EndsWith("0000000000000000", line));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_child_leads_a_process_group_if_asked_to(bool asked) => Run(async () =>
    {
        ChildProcessOptions options = Shell("cut -d' ' -f5 /proc/$$/stat; echo $$"); // field 5 of proc_pid_stat(5) is the group
        options.NewProcessGroup = asked;
        string[] lines = (await OutputOf(options)).Split('\n');
        Assert.Equal(asked, lines[0] == lines[1]);
    });

    [Fact]
    public void A_child_has_the_three_standard_descriptors_alone_whatever_other_threads_open() => Run(async () =>
    {
        using var done = new CancellationTokenSource();
        Task opener = Task.Factory.StartNew(OpenAndClose, TaskCreationOptions.LongRunning);
        try
        {
            for (int i = 0; i < 20; i++)
                Assert.Equal("0\n1\n2\n", await OutputOf(Shell("ls /proc/$$/fd; true")));
        }
        finally
        {
            done.Cancel();
            await opener;
        }

        void OpenAndClose()
        {
            Span<int> fds = stackalloc int[20];
            while (!done.IsCancellationRequested)
            {
                for (int i = 0; i < fds.Length; i++)
                    fds[i] = OpenNull(i % 2 == 0 ? FileFlags.CloseOnExec : 0); // some of them as a careless library would
                foreach (int fd in fds)
                    Kernel.Linux.Close(fd);
            }
        }
    });

    private static unsafe int OpenNull(FileFlags flags)
    {
        fixed (byte* path = "/dev/null\0"u8)
            return Kernel.Linux.Open(path, FileFlags.ReadWrite | flags, 0);
    }

    [Theory]
    [InlineData("weir-no-such-program", Errno.ENOENT, "PATH")]
    [InlineData("/weir/no/such/program", Errno.ENOENT, "/weir/no/such/program")]
    [InlineData("/etc/passwd", Errno.EACCES, "not executable")]
    [InlineData("/", Errno.EACCES, "posix_spawn(/)")]
    [InlineData("/etc/passwd/x", Errno.ENOTDIR, "no directory")]
    public void A_program_that_cannot_be_run_is_named_and_leaves_nothing(string file, Errno errno, string named) => Run(() =>
    {
        Fails(new ChildProcessOptions(file) { StandardInput = ChildStream.Pipe, StandardOutput = ChildStream.Pipe, StandardError = ChildStream.Null }, errno, named);
        return Task.CompletedTask;
    });

    [Fact]
    public void Arguments_too_large_and_a_directory_that_is_not_there_are_named() => Run(() =>
    {
        Fails(new ChildProcessOptions("true", new string('x', 200_000)) { StandardOutput = ChildStream.Pipe }, Errno.E2BIG, "128 KiB");
        Fails(new ChildProcessOptions("true") { WorkingDirectory = "/weir/nowhere" }, Errno.ENOENT, "/weir/nowhere");
        return Task.CompletedTask;
    });

    [Fact]
    public void A_file_that_is_no_program_is_told_as_such()
    {
        string path = NewPath();
        File.WriteAllText(path, "no program");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Run(() =>
        {
            Fails(new ChildProcessOptions(path), Errno.ENOEXEC, "#!");
            return Task.CompletedTask;
        });
    }

    [Theory]
    [InlineData(nameof(Kernel.Pipe2), 0)]
    [InlineData(nameof(Kernel.Pipe2), 1)]
    [InlineData(nameof(Kernel.Fcntl), 0)]
    [InlineData(nameof(Kernel.Fcntl), 1)]
    [InlineData(nameof(Kernel.Fcntl), 2)]
    [InlineData(nameof(Kernel.Open), 0)]
    [InlineData(nameof(Kernel.Spawn), 0)]
    [InlineData(nameof(Kernel.EpollCtl), 0)]
    [InlineData(nameof(Kernel.EpollCtl), 1)]
    [InlineData(nameof(Kernel.EpollCtl), 2)]
    public void A_shortage_at_any_step_leaves_nothing_open(string call, int earlier) => Run(async () =>
    {
        var options = new ChildProcessOptions("cat") { StandardInput = ChildStream.Pipe, StandardOutput = ChildStream.Pipe, StandardError = ChildStream.Null };
        Door.FailAt(call, earlier + 1, Errno.EMFILE);
        Fails(options, Errno.EMFILE, "EMFILE");
        using ChildProcess child = ChildProcess.Start(options);
        child.StandardInput.Dispose();
        Assert.True((await child.WaitForExitAsync()).IsSuccess);
    });

    [Fact]
    public void A_child_that_cannot_be_watched_is_killed_and_reaped() => Run(() =>
    {
        Door.FailNext(nameof(Kernel.EpollCtl), Errno.ENOSPC);
        Fails(new ChildProcessOptions("sleep", "1000"), Errno.ENOSPC, "epoll_ctl");
        Assert.Equal((1, 1, 1), (Door.Count(nameof(Kernel.Spawn)), Door.Count(nameof(Kernel.PidFdSendSignal)), Door.Count(nameof(Kernel.WaitId))));
        return Task.CompletedTask;
    });

    [Theory]
    [InlineData("a\0b", null, null)]
    [InlineData("a", "A=", "")]
    [InlineData("a", "", "")]
    [InlineData("a", "A", "\0")]
    public void What_cannot_be_an_argument_or_a_variable_is_refused(string argument, string? name, string? value) => Run(() =>
    {
        var options = new ChildProcessOptions("true", argument) { StandardOutput = ChildStream.Pipe };
        if (name != null)
            options.Environment[name] = value;
        Assert.Throws<ArgumentException>(() => ChildProcess.Start(options));
        return Task.CompletedTask;
    });

    private void Fails(ChildProcessOptions options, Errno errno, string named)
    {
        string[] before = [.. Door.OpenNow];
        int descriptors = Statistics.Descriptors;
        KernelException failure = Assert.Throws<KernelException>(() => ChildProcess.Start(options));
        Assert.Equal(errno, failure.Errno);
        Assert.Contains(named, failure.Message);
        Assert.Equal(before.Order(), Door.OpenNow.Order());
        Assert.Equal(descriptors, Statistics.Descriptors);
    }
}
