namespace Weir.Simulation.Tests;

public unsafe class SplicingTests
{
    private const EpollEvents In = EpollEvents.In | EpollEvents.EdgeTriggered;
    private const EpollEvents Out = EpollEvents.Out | EpollEvents.EdgeTriggered;

    [Fact]
    public void Its_arguments_are_checked_in_order()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            (int otherRead, int otherWrite) = probe.Pipe(name: "other");
            int zero = probe.Open("/dev/zero", FileFlags.ReadWrite, "zero"), nothing = probe.Open("/dev/null", FileFlags.ReadWrite, "null");
            long offset = 0;
            probe.Splice(-1, -1, 0);
            probe.Splice(-1, otherWrite, 1);
            probe.Splice(read, -1, 1);
            probe.Splice(read, otherWrite, 1, (SpliceFlags)0x80);
            probe.Splice(write, otherWrite, 1);
            probe.Splice(read, otherRead, 1);
            probe.Splice(read, write, 1);
            probe.Splice(nothing, zero, 1);
            probe.Splice(nothing, write, 1);
            probe.Log(probe.Kernel.Splice(read, &offset, otherWrite, null, 1, SpliceFlags.NonBlock), "offset into a pipe");
            probe.Log(probe.Kernel.Splice(read, null, otherWrite, &offset, 1, SpliceFlags.NonBlock), "offset out to a pipe");
            probe.Splice(read, otherWrite, 1);
            int counter = probe.Keep(probe.Kernel.EventFd(1, EventFdFlags.NonBlock), "counter");
            int timer = probe.Keep(probe.Kernel.TimerFdCreate(ClockId.Monotonic), "timer");
            probe.Splice(counter, write, 8);
            probe.Splice(timer, write, 8);
            probe.Splice(read, timer, 8);
            probe.Write(write, 8);
            probe.Splice(read, counter, 8);
            probe.Readable(read);
            probe.Fill(write);
            probe.Splice(counter, write, 8);
        });

    [Fact]
    public void Between_pipes_slots_change_hands()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            (int otherRead, int otherWrite) = probe.Pipe(name: "other");
            int epoll = probe.Epoll();
            probe.Add(epoll, read, In);
            probe.Add(epoll, write, Out);
            probe.Add(epoll, otherRead, In);
            probe.Add(epoll, otherWrite, Out);
            probe.Events(epoll, "ADD");
            probe.Write(write, 10);
            probe.Events(epoll, "a write");
            probe.Splice(read, otherWrite, 4);
            probe.Events(epoll, "splicing a part");
            probe.Splice(read, otherWrite, 100);
            probe.Events(epoll, "splicing the rest");
            probe.Readable(otherRead);
            probe.Splice(read, otherWrite, 100);
            probe.Fill(otherWrite);
            probe.Events(epoll, "filling the other");
            probe.Write(write, 1);
            probe.Splice(read, otherWrite, 100);
            probe.Events(epoll, "a splice that finds no room");
            probe.Drain(otherRead);
            probe.Splice(read, otherWrite, 100);
            probe.Events(epoll, "one that does");
            probe.Close(write);
            probe.Splice(read, otherWrite, 100);
            probe.Events(epoll, "the end");
            probe.Close(otherRead);
            probe.Splice(read, otherWrite, 100);
            probe.Kernel.Close(epoll);
        });

    [Fact]
    public void From_a_device_it_fills_the_free_slots()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            int zero = probe.Open("/dev/zero", FileFlags.ReadWrite, "zero");
            probe.Splice(zero, write, 30_000);
            probe.Splice(zero, write, 100_000);
            probe.Readable(read);
            probe.Poll(write);
            probe.Splice(zero, write, 1);
            probe.Splice(read, zero, 3);
            probe.Splice(read, zero, 100_000);
            // A page that was spliced in takes no more bytes from writes.
            probe.Splice(zero, write, 1);
            for (int i = 0; i < 14; i++)
            {
                probe.Write(write, 1);
                probe.Splice(zero, write, 1);
            }

            probe.Readable(read);
            probe.Close(read);
            probe.Splice(zero, write, 1);
        });

    [Fact]
    public void A_regular_file_is_read_and_written_at_its_position()
        => TwoKernels.Agree(probe =>
        {
            string path = probe.Path("file");
            int file = probe.Open(path, FileFlags.ReadWrite | FileFlags.Create, "file");
            (int read, int write) = probe.Pipe();
            probe.Write(write, 8);
            probe.Splice(read, file, 5);
            probe.Splice(file, write, 5);
            int again = probe.Open(path, FileFlags.ReadOnly, "again");
            probe.Splice(again, write, 3);
            probe.Splice(again, write, 100);
            probe.Splice(again, write, 100);
            probe.Readable(read);
            probe.Splice(read, again, 1);
            int appending = probe.Open(path, FileFlags.WriteOnly | FileFlags.Append, "appending");
            probe.Splice(read, appending, 1);
            probe.Unlink(path);
        });

    [Fact]
    public void Between_a_unix_socket_and_a_pipe_each_side_says_when_it_would_wait()
        => TwoKernels.Agree(probe =>
        {
            int* fds = stackalloc int[2];
            probe.Kernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds);
            int near = probe.Keep(fds[0], "near"), far = probe.Keep(fds[1], "far");
            (int read, int write) = probe.Pipe();
            int epoll = probe.Epoll();
            probe.Add(epoll, read, In);
            probe.Add(epoll, write, Out);
            probe.Events(epoll, "ADD");
            probe.Splice(near, write, 100);
            probe.Write(far, 10);
            probe.Splice(near, write, 4);
            probe.Events(epoll, "splicing a part");
            probe.Splice(near, write, 100);
            probe.Events(epoll, "splicing the rest");
            probe.Readable(read);
            probe.Splice(read, near, 4, SpliceFlags.None);
            probe.Splice(read, near, 100, SpliceFlags.None);
            probe.Events(epoll, "splicing back");
            probe.Splice(read, near, 100, SpliceFlags.None);
            probe.Read(far, 100);
            probe.Write(write, 10);
            probe.Close(far);
            probe.Splice(near, write, 100);
            probe.Splice(read, near, 100);
            probe.Readable(read); // nothing is lost
            probe.Kernel.Close(epoll);
        });

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Blocking_splices_lose_nothing(int where)
    {
        const int Total = 300_000;
        int bad = 0, got = 0;
        Threads.Run(
            where,
            kernel =>
            {
                got = 0;
                int* fds = stackalloc int[4];
                Assert.Equal(0, kernel.Pipe2(fds, FileFlags.CloseOnExec));
                Assert.Equal(0, kernel.Pipe2(fds + 2, FileFlags.CloseOnExec));
                int read = fds[0], write = fds[1], secondRead = fds[2], secondWrite = fds[3];
                return
                [
                    () =>
                    {
                        byte* bytes = stackalloc byte[5000];
                        for (int at = 0; at < Total;)
                        {
                            int count = Math.Min(at % 4999 + 1, Total - at);
                            for (int i = 0; i < count; i++)
                                bytes[i] = (byte)((at + i) % 251);
                            at += (int)kernel.Write(write, bytes, (nuint)count);
                        }

                        kernel.Close(write);
                    },
                    () =>
                    {
                        nint count;
                        while ((count = kernel.Splice(read, null, secondWrite, null, 70_001, SpliceFlags.Move)) > 0)
                        {
                        }

                        Assert.Equal(0, count);
                        kernel.Close(secondWrite);
                        kernel.Close(read);
                    },
                    () =>
                    {
                        byte* bytes = stackalloc byte[3001];
                        nint count;
                        while ((count = kernel.Read(secondRead, bytes, 3001)) > 0)
                        {
                            for (int i = 0; i < count; i++)
                                bad += bytes[i] == (byte)(got++ % 251) ? 0 : 1;
                        }

                        kernel.Close(secondRead);
                    },
                ];
            });
        Assert.Equal(0, bad);
        Assert.Equal(Total, got);
    }
}
