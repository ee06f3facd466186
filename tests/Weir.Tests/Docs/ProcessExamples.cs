using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Net;

#pragma warning disable CA1416 // Signals that Windows does not have; Weir is for Linux.

namespace Weir.Tests;

/// <summary>The examples of docs/descriptors.md on processes and what passes between them. Each runs as a test.</summary>
[Collection(Alone.Name)]
public class ProcessExamples
{
    [Fact]
    public void A_child_is_started_fed_and_waited_for()
    {
        string sorted = EventLoop.Run(async () =>
        {
            using var sort = ChildProcess.Start(new ChildProcessOptions("sort", "-n")
            {
                StandardInput = ChildStream.Pipe,
                StandardOutput = ChildStream.Pipe,
            });
            await using (sort.StandardInput)
                await sort.StandardInput.WriteAsync("10\n9\n8\n"u8.ToArray());

            using var reader = new StreamReader(sort.StandardOutput);
            string output = await reader.ReadToEndAsync();
            ExitStatus status = await sort.WaitForExitAsync(); // at once, and the same, however often one asks
            return status.IsSuccess ? output : throw new IOException($"sort: {status}"); // "exit code 2", "signal 9"
        });

        Assert.Equal("8\n9\n10\n", sorted);
    }

    [Fact]
    public void A_child_gets_so_much_time_to_end()
    {
        ExitStatus end = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            using ChildProcess child = ChildProcess.Start("sleep", "1000");

            child.Kill(15); // SIGTERM: asks
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5), loop.TimeProvider);
            try
            {
                return await child.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                child.Kill(); // SIGKILL: does not ask
                return await child.WaitForExitAsync();
            }
        });

        Assert.Equal(15, end.Signal);
    }

    [Fact]
    public void Signals_are_awaited()
    {
        EventLoop.Run(async () =>
        {
            using var signals = new LoopSignals(PosixSignal.SIGHUP, PosixSignal.SIGWINCH);
            int self = Kernel.Linux.PidFdOpen(Environment.ProcessId);
            Kernel.Linux.PidFdSendSignal(self, 28);
            Kernel.Linux.Close(self);

            PosixSignal signal = await signals.WaitAsync(); // or: await foreach (PosixSignal signal in signals.ReadAllAsync())
            Assert.Equal(PosixSignal.SIGWINCH, signal);
        });
    }

    [Fact]
    public void A_loop_stops_on_SIGTERM_and_Ctrl_C()
    {
        EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            using LoopSignals stop = LoopSignals.StopOn(loop); // a second signal ends the process at once
            loop.Post(loop.Stop); // as a signal would

            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(Timeout.Infinite, loop.Stopping));
        });
    }

    [Fact]
    public void A_timer_is_a_descriptor()
    {
        long times = EventLoop.Run(async () =>
        {
            using var timer = new TimerFd();
            timer.Set(TimeSpan.FromMilliseconds(5), period: TimeSpan.FromMilliseconds(5));
            return await timer.WaitAsync(); // how often it has expired since one last asked
        });

        Assert.True(times >= 1);
    }

    [Fact]
    public void A_descriptor_is_sent_to_another_process()
    {
        string text = EventLoop.Run(async () =>
        {
            (Connection here, Connection there) = Connection.CreatePair(); // the other end is another process's, as a rule
            using Connection first = here, second = there;
            (PipeEnd reader, PipeEnd writer) = PipeEnd.CreatePair();

            await here.SendDescriptorsAsync("take this"u8.ToArray(), new[] { reader.FileDescriptor });
            reader.Dispose(); // a duplicate is under way

            byte[] bytes = new byte[100];
            int[] descriptors = new int[4];
            ReceivedDescriptors received = await there.ReceiveDescriptorsAsync(bytes, descriptors);
            Assert.Equal((9, 1, false), (received.Bytes, received.Descriptors, received.AreMissing));
            using var file = new FdWatcher(descriptors[0], FdOwnership.Owned, EpollEvents.In); // ours to close

            await writer.WriteAsync("through both"u8.ToArray());
            writer.Dispose();
            int count = await file.WaitAndReadAsync(bytes);
            return Encoding.UTF8.GetString(bytes, 0, count);
        });

        Assert.Equal("through both", text);
    }

    [Fact]
    public void A_sender_says_who_it_is() => EventLoop.Run(async () =>
    {
        (Connection here, Connection there) = Connection.CreatePair();
        using Connection first = here, second = there;
        ProcessCredentials sender = here.PeerCredentials; // of a pair of one's own: oneself
        byte[] bytes = new byte[100];
        int[] descriptors = [];

        there.PassCredentials = true; // what comes is to say who sent it
        await here.SendCredentialsAsync("a line of a log"u8.ToArray(), sender);
        ReceivedDescriptors line = await there.ReceiveDescriptorsAsync(bytes, descriptors); // line.Credentials: sender
        Assert.Equal((15, sender), (line.Bytes, line.Credentials));
    });

    [Fact]
    public void A_service_takes_over_what_it_was_given_and_says_that_it_is_ready()
    {
        EventLoop.Run(async () =>
        {
            Task serving = Serve(EventLoop.Current!);
            EventLoop.Current!.Stop();
            await serving;
        });

        static async Task Serve(EventLoop loop)
        {
            InheritedDescriptor? given = InheritedDescriptors.FromEnvironment().FirstOrDefault(one => one.Kind == InheritedDescriptorKind.Listener);
            using Listener listener = given != null
                ? Listener.FromDescriptor(given.FileDescriptor)
                : Listener.Bind(new UnixDomainSocketEndPoint("\0an abstract name")); // no file to make or remove

            ServiceNotifier service = ServiceNotifier.FromEnvironment(); // does nothing where nobody listens
            service.Ready("accepting connections");
            _ = service.RunWatchdogAsync(loop.Stopping);
            await listener.AcceptAllAsync(async connection => await connection.WriteAsync("hello\n"u8.ToArray()), loop.Stopping);
            service.Stopping();
        }
    }

    [Fact]
    public void A_terminal_is_a_stream()
    {
        EventLoop.Run(async () =>
        {
            if (Terminal.IsTerminal(0))
                await Interact(CancellationToken.None);
        });

        static async Task Interact(CancellationToken cancellationToken)
        {
            using Terminal terminal = Terminal.FromDescriptor(0);
            terminal.EnterRawMode(); // put back when disposed
            byte[] key = new byte[16];
            int count = await terminal.ReadAsync(key, cancellationToken);
            (int rows, int columns) = terminal.WindowSize;
            await terminal.WriteAsync(Encoding.UTF8.GetBytes($"{count} bytes typed on {rows} x {columns} characters\r\n"), cancellationToken);
        }
    }
}
