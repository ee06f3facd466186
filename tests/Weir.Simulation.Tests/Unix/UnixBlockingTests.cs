using System.Text;

namespace Weir.Simulation.Tests.Unix;

/// <summary>Blocking sockets, on threads that the simulation runs. Runs the same on ordinary threads of the real kernel.</summary>
public unsafe class UnixBlockingTests
{
    [Fact]
    public void A_blocking_read_waits_for_data() => Run((kernel, start) =>
    {
        (int a, int b) = BlockingPair(kernel);
        start("reader", note =>
        {
            note(Read(kernel, b));
            note(Read(kernel, b));
        });
        start("writer", _ =>
        {
            Write(kernel, a, "hello");
            kernel.Close(a);
        });
    });

    [Fact]
    public void A_blocking_read_for_all_waits_until_the_buffer_is_full_or_the_end_comes() => Run((kernel, start) =>
    {
        (int a, int b) = BlockingPair(kernel);
        start("reader", note =>
        {
            note(Read(kernel, b, 4, MessageFlags.WaitAll));
            note(Read(kernel, b, 4, MessageFlags.WaitAll));
            note(Read(kernel, b, 4, MessageFlags.DontWait));
        });
        start("writer", _ =>
        {
            foreach (string text in new[] { "ab", "c", "de", "f" })
                Write(kernel, a, text);
            kernel.Shutdown(a, ShutdownHow.Write);
        });
    });

    [Fact]
    public void A_blocking_write_waits_for_memory() => Run((kernel, start) =>
    {
        (int a, int b) = BlockingPair(kernel);
        start("writer", note =>
        {
            byte[] data = new byte[1_000_000];
            fixed (byte* bytes = data)
                note($"written {kernel.Write(a, bytes, (nuint)data.Length)}");
            kernel.Close(a);
        });
        start("reader", note =>
        {
            byte[] data = new byte[70_000];
            nint total = 0, count;
            fixed (byte* bytes = data)
            {
                while ((count = kernel.Read(b, bytes, (nuint)data.Length)) > 0)
                    total += count;
            }

            note($"read {total}");
        });
    });

    [Fact]
    public void A_blocking_connect_waits_for_a_place_in_the_backlog() => Run((kernel, start) =>
    {
        byte[] address = [1, 0, 0, .. Encoding.UTF8.GetBytes("weir-wait-" + Guid.NewGuid())];
        int listener = kernel.Socket(SocketDomain.Unix, SocketKind.Stream, 0);
        Assert.Equal(0, Bind(kernel, listener, address));
        Assert.Equal(0, kernel.Listen(listener, 0));
        MakeBlocking(kernel, listener);
        start("clients", note =>
        {
            for (int i = 0; i < 3; i++)
            {
                int client = kernel.Socket(SocketDomain.Unix, SocketKind.Stream, 0);
                MakeBlocking(kernel, client);
                fixed (byte* bytes = address)
                    note($"connect {kernel.Connect(client, bytes, (uint)address.Length)}");
            }
        });
        start("server", note =>
        {
            for (int i = 0; i < 3; i++)
                note($"accepted {kernel.Accept4(listener, null, null) >= 0}");
        });
    });

    [Fact]
    public void A_blocking_sender_waits_for_a_receiver_that_is_full() => Run((kernel, start) =>
    {
        byte[] address = [1, 0, 0, .. Encoding.UTF8.GetBytes("weir-full-" + Guid.NewGuid())];
        int receiver = kernel.Socket(SocketDomain.Unix, SocketKind.Datagram, 0), sender = kernel.Socket(SocketDomain.Unix, SocketKind.Datagram, 0);
        Assert.Equal(0, Bind(kernel, receiver, address));
        fixed (byte* bytes = address)
            Assert.Equal(0, kernel.Connect(sender, bytes, (uint)address.Length));
        MakeBlocking(kernel, receiver);
        MakeBlocking(kernel, sender);
        start("sender", note =>
        {
            for (int i = 0; i < 40; i++)
                note(Write(kernel, sender, $"{i}"));
        });
        start("receiver", note =>
        {
            for (int i = 0; i < 40; i++)
                note(Read(kernel, receiver));
        });
    });

    [Fact]
    public void Two_blocking_receivers_share_what_comes()
    {
        var got = new List<string>();
        Sim.Run(
            1,
            sim =>
            {
                int* fds = stackalloc int[2];
                sim.Kernel.SocketPair(SocketDomain.Unix, SocketKind.Datagram, 0, fds);
                (int a, int b) = (fds[0], fds[1]);
                MakeBlocking(sim.Kernel, b);
                foreach (string name in new[] { "one", "two" })
                    sim.Thread(name, () => got.Add(Read(sim.Kernel, b)));
                sim.Thread("sender", () =>
                {
                    Write(sim.Kernel, a, "x");
                    Write(sim.Kernel, a, "y");
                });
                return Task.CompletedTask;
            },
            new SimOptions { Mode = SimMode.Threads, Detect = SimDetectors.None });
        Assert.Equal(["\"x\"", "\"y\""], got.Order());
    }

    [Fact]
    public void A_file_closed_under_a_blocked_reader_lives_until_the_reader_returns()
    {
        string got = "";
        Sim.Run(
            1,
            sim =>
            {
                (int a, int b) = BlockingPair(sim.Kernel);
                sim.Thread("reader", () => got = Read(sim.Kernel, b));
                sim.Thread("closer", () =>
                {
                    sim.Kernel.Poll(null, 0, 1); // time passes only when the reader waits
                    Assert.Equal(0, sim.Kernel.Close(b));
                    Assert.Equal("2", Write(sim.Kernel, a, "ok"));
                });
                return Task.CompletedTask;
            },
            new SimOptions { Mode = SimMode.Threads, Detect = SimDetectors.None });
        Assert.Equal("\"ok\"", got);
    }

    [Theory]
    [InlineData(false, "EINTR", "\"ab\"")]
    [InlineData(true, "\"ab\"", "\"cd\"")]
    public void A_signal_interrupts_a_read_that_has_nothing_unless_its_handler_restarts_it(bool restart, string first, string second)
    {
        var got = new List<string>();
        RunSignalled(restart, got, kernel => Read(kernel, 6), Write);
        Assert.Equal([first, second], got);

        static void Write(SimKernel kernel)
        {
            kernel.Raise(User);
            kernel.Poll(null, 0, 1);
            UnixBlockingTests.Write(kernel, 5, "ab");
            kernel.Poll(null, 0, 1);
            UnixBlockingTests.Write(kernel, 5, "cd");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_signal_ends_a_read_for_all_with_what_there_is(bool restart)
    {
        var got = new List<string>();
        RunSignalled(restart, got, kernel => Read(kernel, 6, 4, MessageFlags.WaitAll), kernel =>
        {
            Write(kernel, 5, "ab");
            kernel.Poll(null, 0, 1);
            kernel.Raise(User);
            kernel.Poll(null, 0, 1);
            Write(kernel, 5, "cdef");
        });
        Assert.Equal(["\"ab\"", "\"cdef\""], got);
    }

    [Fact]
    public void A_signal_ends_a_write_with_what_was_sent()
    {
        var got = new List<string>();
        RunSignalled(true, got, kernel =>
        {
            byte[] data = new byte[1_000_000];
            fixed (byte* bytes = data)
                return kernel.Write(5, bytes, (nuint)data.Length) is > 100_000 and < 300_000 ? "a part" : "something else";
        }, kernel =>
        {
            kernel.Raise(User);
            kernel.Poll(null, 0, 1);
            kernel.Close(6);
        });
        Assert.Equal(["a part", "something else"], got);
    }

    private const int User = 10; // SIGUSR1

    // Numbers 5 and 6 are a blocking pair; one thread calls twice and the other, each time it is its turn, has seen it wait.
    private static void RunSignalled(bool restart, List<string> got, Func<SimKernel, string> call, Action<SimKernel> other) => Sim.Run(
        1,
        sim =>
        {
            Assert.Equal((5, 6), BlockingPair(sim.Kernel));
            sim.Kernel.HandleSignal(User, restart: restart);
            sim.Thread("caller", () =>
            {
                got.Add(call(sim.Kernel));
                got.Add(call(sim.Kernel));
            });
            sim.Thread("other", () =>
            {
                sim.Kernel.BlockSignals(1ul << (User - 1));
                sim.Kernel.Poll(null, 0, 1); // time passes only when the caller waits
                other(sim.Kernel);
            });
            sim.Kernel.BlockSignals(1ul << (User - 1));
            return Task.CompletedTask;
        },
        new SimOptions { Mode = SimMode.Threads, Detect = SimDetectors.None });

    private delegate void Starter(string name, Action<Action<string>> body);

    // The notes of each thread, on the real kernel, on simulated threads under several seeds, and on live ones.
    private static void Run(Action<Kernel, Starter> program)
    {
        string real = RunOn(Kernel.Linux, program);
        Assert.Equal(real, RunOn(SimKernel.Live(), program));
        for (ulong seed = 1; seed <= 5; seed++)
        {
            var notes = new SortedDictionary<string, StringBuilder>();
            Sim.Run(
                seed,
                sim =>
                {
                    program(sim.Kernel, (name, body) => sim.Thread(name, () => body(Note(notes, name))));
                    return Task.CompletedTask;
                },
                new SimOptions { Mode = SimMode.Threads, PreemptionProbability = 0.4, Detect = SimDetectors.None });
            Assert.Equal(real, Join(notes));
        }
    }

    private static string RunOn(Kernel kernel, Action<Kernel, Starter> program)
    {
        var notes = new SortedDictionary<string, StringBuilder>();
        var threads = new List<Thread>();
        program(kernel, (name, body) =>
        {
            Action<string> note = Note(notes, name);
            var thread = new Thread(() => body(note)) { IsBackground = true };
            threads.Add(thread);
        });
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => Assert.True(thread.Join(20_000), "a thread did not end"));
        return Join(notes);
    }

    private static Action<string> Note(SortedDictionary<string, StringBuilder> notes, string name)
    {
        StringBuilder text = notes[name] = new StringBuilder();
        return line => text.Append(name).Append(": ").Append(line).Append('\n');
    }

    private static string Join(SortedDictionary<string, StringBuilder> notes) => string.Concat(notes.Values);

    private static (int First, int Second) BlockingPair(Kernel kernel)
    {
        int* fds = stackalloc int[2];
        Assert.Equal(0, kernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds));
        MakeBlocking(kernel, fds[0]);
        MakeBlocking(kernel, fds[1]);
        return (fds[0], fds[1]);
    }

    private static void MakeBlocking(Kernel kernel, int fd) => Assert.Equal(0, kernel.Fcntl(fd, FcntlCommand.SetStatusFlags, 0));

    private static int Bind(Kernel kernel, int fd, byte[] address)
    {
        fixed (byte* bytes = address)
            return kernel.Bind(fd, bytes, (uint)address.Length);
    }

    private static string Read(Kernel kernel, int fd, int count = 100, MessageFlags flags = MessageFlags.None)
    {
        byte* bytes = stackalloc byte[count];
        nint result = kernel.Receive(fd, bytes, (nuint)count, flags);
        return result < 0 ? ((Errno)(int)-result).ToString() : $"\"{Encoding.UTF8.GetString(bytes, (int)result)}\"";
    }

    private static string Write(Kernel kernel, int fd, string text)
    {
        fixed (byte* bytes = Encoding.UTF8.GetBytes(text))
            return $"{kernel.Write(fd, bytes, (nuint)text.Length)}";
    }
}
