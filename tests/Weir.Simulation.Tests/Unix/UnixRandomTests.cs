namespace Weir.Simulation.Tests.Unix;

/// <summary>Programs that a seed makes up: whatever they do, both kernels must answer the same.</summary>
public class UnixRandomTests
{
    private const int Programs = 60, Steps = 250;

    // WEIR_UNIX_PROGRAMS: how many, for a longer look.
    private static readonly int Count = int.TryParse(Environment.GetEnvironmentVariable("WEIR_UNIX_PROGRAMS"), out int count) ? count : Programs;

    [Theory]
    [InlineData(SocketKind.Stream)]
    [InlineData(SocketKind.Datagram)]
    [InlineData(SocketKind.SeqPacket)]
    public void Random_programs_see_the_same_on_both_kernels(SocketKind kind)
    {
        for (int seed = 1; seed <= Count; seed++)
        {
            string real = UnixProgram.Run(Kernel.Linux, program => Body(program, kind, seed));
            string simulated = UnixProgram.Run(SimKernel.Live(), program => Body(program, kind, seed));
            if (real == simulated)
                continue;
            string[] expected = real.Split('\n'), actual = simulated.Split('\n');
            int at = 0;
            while (expected[at] == actual[at])
                at++;
            Assert.Fail($"{kind}, seed {seed}, line {at}:\n{string.Join('\n', expected[Math.Max(0, at - 40)..at])}\nreal:      {expected[at]}\nsimulated: {actual[at]}");
        }
    }

    private static void Body(UnixProgram p, SocketKind kind, int seed)
    {
        var random = new Random(seed);
        string run = $"{Environment.ProcessId}-{(int)kind}-{seed}";
        var sockets = new List<(int Fd, string Name)>();
        int made = 0;
        int counter = p.EventFd();
        for (int i = 0; i < 2; i++)
            AddPair();
        for (int step = 0; step < Steps; step++)
        {
            if (sockets.Count < 2)
                AddPair();
            (int fd, string name) = sockets[random.Next(sockets.Count)];
            p.Note($"-- {step} {name}");
            switch (random.Next(30))
            {
                case 0 or 1 or 2 or 3:
                    p.Send(fd, random.Next(4) == 0 ? random.Next(150_000) : random.Next(3000));
                    break;
                case 4 or 5:
                    for (int i = random.Next(100); i > 0 && p.Send(fd, random.Next(2)) >= 0; i--)
                    {
                    }

                    break;
                case 6 or 7 or 8:
                    p.Receive(fd, random.Next(3) == 0 ? random.Next(200_000) : random.Next(2000));
                    break;
                case 9:
                    for (int i = random.Next(200); i > 0 && p.Receive(fd, random.Next(3)) >= 0; i--)
                    {
                    }

                    break;
                case 10:
                    p.Receive(fd, random.Next(3000), MessageFlags.Peek | (random.Next(2) == 0 ? MessageFlags.WaitAll : UnixProgram.Truncated));
                    break;
                case 11:
                    p.SendText(fd, "urgent"[..random.Next(1, 7)], MessageFlags.OutOfBand);
                    break;
                case 12:
                    p.ReceiveText(fd, 1, MessageFlags.OutOfBand | (random.Next(4) == 0 ? MessageFlags.Peek : 0));
                    break;
                case 13:
                    p.SetOption(fd, 10, random.Next(2)); // SO_OOBINLINE
                    break;
                case 14:
                    if (random.Next(4) == 0)
                        p.Shutdown(fd, (ShutdownHow)random.Next(3));
                    break;
                case 15:
                    if (random.Next(3) == 0)
                    {
                        sockets.Remove((fd, name));
                        p.Close(fd);
                    }

                    break;
                case 16:
                    p.SendFiles(fd, "files"[..random.Next(6)], Enumerable.Repeat(counter, random.Next(1, 4)).ToArray());
                    break;
                case 17 or 18:
                    foreach (int got in p.ReceiveMessage(fd, random.Next(10), random.Next(3) == 0 ? random.Next(40) : 100, random.Next(3) == 0 ? MessageFlags.Peek : 0))
                        p.Close(got);
                    break;
                case 19:
                    p.SetOption(fd, 16, random.Next(2)); // SO_PASSCRED
                    break;
                case 20:
                    p.SetOption(fd, (int)SocketOption.SocketSendBuffer, random.Next(2) == 0 ? random.Next(10_000) : random.Next(300_000));
                    break;
                case 21:
                    p.SetOption(fd, (int)SocketOption.SocketReceiveLowWatermark, random.Next(10));
                    break;
                case 22:
                    p.Option(fd, (int)SocketOption.SocketError);
                    break;
                case 23:
                    p.Queued(fd, 0x5411);
                    p.Queued(fd, 0x541B);
                    p.Queued(fd, 0x8905);
                    break;
                case 24 when sockets.Count < 8:
                    Add(p.Socket(kind));
                    break;
                case 25:
                    p.Bind(fd, Name());
                    break;
                case 26:
                    if (random.Next(2) == 0)
                        p.Listen(fd, random.Next(3));
                    else if (p.Accept(fd) is int accepted and >= 0)
                        Add(accepted);
                    break;
                case 27:
                    p.Connect(fd, random.Next(6) == 0 ? [0, 0] : Name());
                    break;
                case 28:
                    p.SendTo(fd, "to", Name());
                    break;
                default:
                    p.Poll(fd);
                    break;
            }

            p.Events();
        }

        byte[] Name() => UnixProgram.Address($"weir-{run}-{random.Next(3)}", isAbstract: true);

        void AddPair()
        {
            (int a, int b) = p.Pair(kind);
            Add(a);
            Add(b);
        }

        void Add(int fd)
        {
            string name = $"s{made++}";
            sockets.Add((fd, name));
            EpollEvents events = EpollEvents.In | EpollEvents.RdHup | EpollEvents.Pri;
            if (random.Next(3) > 0)
                events |= EpollEvents.Out;
            if (random.Next(4) > 0)
                events |= EpollEvents.EdgeTriggered;
            p.Watch(fd, name, events);
        }
    }
}
