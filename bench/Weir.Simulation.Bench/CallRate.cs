using System.Diagnostics;
using System.Net;
using Weir.Bench.Parts;
using Weir.Simulation;

namespace Weir.Bench.Simulation;

/// <summary>
/// Calls a second at the door itself, from a stepped loop: what a program under simulation does most. Beside it the same calls on the kernel that
/// this process runs on.
/// </summary>
internal sealed unsafe class CallRate
{
    private const int Bytes = 64;
    private const int Batch = 5000;
    private const int TryAgain = -(int)Errno.EAGAIN;
    private const double MillionCalls = 1;

    private static readonly Case[] Cases =
    [
        new("eventfd: write, epoll_wait, read", 3, kernel => (kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec), -1), Count),
        new("unix pair: send, recv, 64 bytes", 2, MakeUnixPair, Transfer),
        new("TCP: send, recv, 64 bytes", 2, MakeTcpPair, Transfer),
    ];

    private delegate void Body(Kernel kernel, int epoll, int first, int second, int rounds);

    private sealed record Case(string Name, int Calls, Func<Kernel, (int First, int Second)> Make, Body Body);

    internal static void Run(Report report, int rounds, double seconds)
    {
        var simulated = new List<double>[Cases.Length];
        var real = new List<double>[Cases.Length];
        for (int i = 0; i < Cases.Length; i++)
            (simulated[i], real[i]) = ([], []);
        for (int round = -1; round < rounds; round++)
        {
            for (int i = 0; i < Cases.Length; i++)
            {
                Case subject = Cases[i];
                double rate = 0;
                Sim.Run(
                    1,
                    sim =>
                    {
                        rate = Rate(sim.Kernel, subject, seconds);
                        return Task.CompletedTask;
                    });
                double realRate = Rate(Kernel.Linux, subject, seconds);
                if (round < 0)
                    continue; // until the JIT has nothing left to do
                simulated[i].Add(rate);
                real[i].Add(realRate);
            }
        }

        Report.Say();
        Report.Say("kernel calls in stepping mode, millions a second");
        var table = new Table("calls", "simulated", "Linux", "simulated/Linux");
        for (int i = 0; i < Cases.Length; i++)
        {
            double median = Summary.Of(simulated[i]).Median / 1e6;
            table.Add(
                Cases[i].Name,
                $"{median:0.00}",
                $"{Summary.Of(real[i]).Median / 1e6:0.00}",
                Text.Ratio(Summary.OfRatios(simulated[i], real[i])));
            report.Add(new Target($"million calls a second, {Cases[i].Name.Split(':')[0]}", median, MillionCalls, AtLeast: true));
        }

        table.Print(Console.Out);
    }

    private static double Rate(Kernel kernel, Case subject, double seconds)
    {
        int epoll = kernel.EpollCreate1(FileFlags.CloseOnExec);
        (int first, int second) = subject.Make(kernel);
        byte* entry = stackalloc byte[16];
        EpollEventLayout.Set(entry, 0, EpollEvents.In, 0);
        Expect(0, kernel.EpollCtl(epoll, EpollOp.Add, second < 0 ? first : second, entry));
        long began = Stopwatch.GetTimestamp();
        long batches = 0;
        TimeSpan elapsed;
        do
        {
            subject.Body(kernel, epoll, first, second, Batch);
            batches++;
            elapsed = Stopwatch.GetElapsedTime(began);
        }
        while (elapsed.TotalSeconds < seconds);
        kernel.Close(first);
        if (second >= 0)
            kernel.Close(second);
        kernel.Close(epoll);
        return batches * Batch * subject.Calls / elapsed.TotalSeconds;
    }

    private static void Count(Kernel kernel, int epoll, int counter, int unused, int rounds)
    {
        byte* entry = stackalloc byte[16];
        ulong value = 1;
        for (int i = 0; i < rounds; i++)
        {
            Expect(sizeof(ulong), kernel.Write(counter, &value, sizeof(ulong)));
            Expect(1, kernel.EpollWait(epoll, entry, 1, 0));
            Expect(sizeof(ulong), kernel.Read(counter, &value, sizeof(ulong)));
        }
    }

    // The receiver is watched, so that each message wakes as it does in a program.
    private static void Transfer(Kernel kernel, int epoll, int first, int second, int rounds)
    {
        byte* buffer = stackalloc byte[Bytes];
        for (int i = 0; i < rounds; i++)
        {
            Expect(Bytes, kernel.Send(first, buffer, Bytes, MessageFlags.NoSignal));
            nint received;
            while ((received = kernel.Receive(second, buffer, Bytes, MessageFlags.None)) == TryAgain)
            {
                // On Linux another processor may be carrying it over the loopback still.
            }

            Expect(Bytes, received);
        }
    }

    private static (int First, int Second) MakeUnixPair(Kernel kernel)
    {
        int* fds = stackalloc int[2];
        Expect(0, kernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds));
        return (fds[0], fds[1]);
    }

    private static (int First, int Second) MakeTcpPair(Kernel kernel)
    {
        int listener = kernel.Socket(SocketDomain.Inet, SocketKind.Stream, 0);
        RawSocketAddress address = RawSocketAddress.From(new IPEndPoint(IPAddress.Loopback, 0));
        Expect(0, kernel.Bind(listener, address.Pointer, address.Length));
        Expect(0, kernel.Listen(listener, 1));
        address = RawSocketAddress.Empty;
        Expect(0, kernel.GetSockName(listener, address.Pointer, &address.Length));
        int client = kernel.Socket(SocketDomain.Inet, SocketKind.Stream, 0);
        Expect(-(int)Errno.EINPROGRESS, kernel.Connect(client, address.Pointer, address.Length));
        int server;
        while ((server = kernel.Accept4(listener, null, null)) == TryAgain)
        {
            // As in Transfer.
        }

        kernel.Close(listener);
        return (client, server);
    }

    private static void Expect(nint expected, nint result)
    {
        if (result != expected)
            throw new InvalidOperationException($"A call returned {result} in place of {expected}.");
    }
}
