namespace Weir.Simulation.Tests;

public unsafe class PipeTests
{
    private const EpollEvents In = EpollEvents.In | EpollEvents.EdgeTriggered;
    private const EpollEvents Out = EpollEvents.Out | EpollEvents.EdgeTriggered;

    [Fact]
    public void Poll_tells_of_bytes_of_free_slots_and_of_the_other_end()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            State();
            probe.Write(write, 1);
            State();
            probe.Fill(write);
            State();
            probe.Close(read);
            probe.Poll(write);
            (read, write) = probe.Pipe();
            probe.Write(write, 3);
            probe.Close(write);
            probe.Poll(read);
            probe.Drain(read);
            probe.Poll(read);
            probe.Close(read);
            (read, write) = probe.Pipe();
            probe.Close(read);
            probe.Poll(write);

            void State()
            {
                probe.Poll(read);
                probe.Poll(write);
            }
        });

    [Fact]
    public void Small_writes_share_the_last_page_and_large_ones_fill_pages()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            for (int i = 0; i < 16; i++)
                probe.Write(write, 2049);
            probe.Poll(write);
            probe.Write(write, 1); // still merges
            probe.Write(write, 2046);
            probe.Write(write, 1);
            probe.Readable(read);
            probe.Drain(read);
            probe.Write(write, 100);
            probe.Write(write, 70_000);
            probe.Readable(read);
            probe.Read(read, 100);
            probe.Write(write, 4096);
            probe.Write(write, 4097);
            probe.Drain(read);
            // A page that has been read from the front has no more room than before.
            probe.Write(write, 4000);
            probe.Read(read, 3990);
            probe.Write(write, 96);
            probe.Write(write, 1);
            for (int i = 0; i < 14; i++)
                probe.Write(write, 4096);
            probe.Poll(write);
            probe.Write(write, 4096);
            probe.Readable(write);
        });

    [Fact]
    public void Up_to_a_page_is_written_as_a_whole_or_not_at_all()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            for (int i = 0; i < 15; i++)
                probe.Write(write, 4096);
            probe.Write(write, 4000);
            probe.Write(write, 97);
            probe.Write(write, 4096);
            probe.Write(write, 96);
            probe.Read(read, 4096);
            probe.Write(write, 10_000); // more than that: in part
        });

    [Fact]
    public void The_size_is_a_power_of_two_of_pages_and_growing_lets_writers_look()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            probe.Log(probe.Kernel.Fcntl(read, FcntlCommand.GetPipeSize, 0), "size");
            probe.Write(write, 4096);
            probe.Write(write, 4096);
            probe.PipeSize(write, 4096);
            probe.PipeSize(write, 100_000);
            probe.PipeSize(read, -1);
            probe.PipeSize(write, 1 << 20);
            probe.Drain(read);
            probe.PipeSize(write, 1);
            probe.Fill(write);
            int epoll = probe.Epoll();
            probe.Add(epoll, write, Out);
            probe.Events(epoll, "ADD while full");
            probe.PipeSize(write, 65_536);
            probe.Events(epoll, "growing");
            probe.PipeSize(write, 131_072);
            probe.Events(epoll, "growing although there was room");
            probe.Write(write, 100_000);
            probe.Read(read, 5000);
            probe.PipeSize(write, 65_536);
            probe.Drain(read);
            int file = probe.Kernel.EventFd(0, EventFdFlags.CloseOnExec);
            probe.Log(probe.Kernel.Fcntl(file, FcntlCommand.GetPipeSize, 0), "size of an eventfd");
            probe.Kernel.Close(file);
        });

    [Fact]
    public void Every_write_is_an_edge_once_somebody_has_polled_even_one_that_fails()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            int epoll = probe.Epoll();
            probe.Add(epoll, read, In);
            probe.Add(epoll, write, Out | EpollEvents.In);
            probe.Events(epoll, "ADD");
            probe.Write(write, 1);
            probe.Events(epoll, "a write");
            probe.Write(write, 1);
            probe.Events(epoll, "another");
            probe.Write(write, 0);
            probe.Events(epoll, "an empty one");
            probe.WriteNowhere(write, 1);
            probe.Events(epoll, "a fault");
            probe.Read(read, 1);
            probe.Events(epoll, "a read");
            probe.Fill(write);
            probe.Events(epoll, "filling it");
            probe.Write(write, 4096);
            probe.Events(epoll, "EAGAIN");
            probe.Kernel.Close(epoll);
        });

    [Fact]
    public void The_writer_gets_an_edge_when_a_full_pipe_frees_a_slot()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            int epoll = probe.Epoll();
            probe.Add(epoll, write, Out);
            probe.Fill(write);
            probe.Events(epoll, "filling it");
            probe.Read(read, 4095);
            probe.Events(epoll, "reading part of a page");
            probe.Read(read, 1);
            probe.Events(epoll, "reading the rest");
            probe.Read(read, 4096);
            probe.Events(epoll, "reading another");
            probe.Drain(read);
            probe.Events(epoll, "draining it");
            probe.Close(read);
            probe.Events(epoll, "the reader's end");
            probe.Kernel.Close(epoll);
        });

    [Fact]
    public void The_last_close_of_an_end_wakes_the_other()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            int copy = probe.Keep(probe.Kernel.Fcntl(write, FcntlCommand.DupCloseOnExec, 0), "copy");
            int epoll = probe.Epoll();
            probe.Add(epoll, read, In | EpollEvents.RdHup);
            probe.Write(write, 1);
            probe.Close(write);
            probe.Events(epoll, "the first close");
            probe.Close(copy);
            probe.Events(epoll, "the last");
            probe.Read(read, 10);
            probe.Read(read, 10);
            probe.Kernel.Close(epoll);
        });

    [Fact]
    public void A_fault_takes_nothing_and_leaves_nothing_half_done()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            probe.WriteNowhere(write, 1);
            probe.Readable(read);
            probe.Poll(read);
            probe.Read(read, 10);
            probe.Write(write, 10);
            probe.ReadNowhere(read, 4);
            probe.ReadNowhere(read, 0);
            probe.WriteNowhere(write, 0);
            probe.Read(read, 100);
            probe.Write(write, 10);
            IoVector* parts = stackalloc IoVector[2];
            parts[0] = new IoVector { Base = probe.Bytes, Length = 5 };
            parts[1] = new IoVector { Base = (void*)Probe.Nowhere, Length = 5 };
            probe.Log(probe.Kernel.ReadV(read, parts, 2), "a read that faults in the middle");
            probe.Readable(read);
            probe.Log(probe.Kernel.WriteV(write, parts, 2), "a write that faults in the middle");
            probe.Readable(read);
            parts[0].Length = 4096;
            probe.Log(probe.Kernel.WriteV(write, parts, 2), "a write that faults after a page");
            probe.Readable(read);
            probe.Close(read);
            probe.WriteNowhere(write, 1);
            probe.WriteNowhere(write, 0);
            probe.Log(probe.Kernel.Pipe2((int*)Probe.Nowhere, FileFlags.CloseOnExec), "pipe2(nowhere)");
        });

    [Fact]
    public void Each_end_goes_one_way_and_shows_its_flags()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe();
            probe.Write(read, 1);
            probe.Read(write, 1);
            probe.StatusFlags(read);
            probe.StatusFlags(write);
            probe.Pipe(FileFlags.ReadWrite);
            probe.Pipe(FileFlags.Append);
            (read, write) = probe.Pipe(Probe.NonBlocking | OpenFlags.Direct, "packets");
            probe.StatusFlags(read);
            probe.StatusFlags(write);
            probe.Log(probe.Kernel.Ioctl(read, 0x5413, probe.Bytes), "another ioctl");
            probe.Log(probe.Kernel.Ioctl(read, 0x541B, (void*)Probe.Nowhere), "FIONREAD(nowhere)");
        });

    [Fact]
    public void In_packet_mode_a_read_takes_one_write_and_drops_what_does_not_fit()
        => TwoKernels.Agree(probe =>
        {
            (int read, int write) = probe.Pipe(Probe.NonBlocking | OpenFlags.Direct);
            probe.Write(write, 5000);
            probe.Write(write, 3);
            probe.Write(write, 4);
            probe.Read(read, 10);
            probe.Read(read, 5000);
            probe.Read(read, 100);
            probe.Read(read, 100);
            probe.Read(read, 100);
        });

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Bytes_come_through_a_blocking_pipe_in_order(int where)
    {
        const int Total = 1 << 20;
        uint sum = 0, expected = 0;
        for (int i = 0; i < Total; i++)
            expected = expected * 31 + (byte)(i * 7);
        Threads.Run(
            where,
            kernel =>
            {
                sum = 0;
                int* fds = stackalloc int[2];
                Assert.Equal(0, kernel.Pipe2(fds, FileFlags.CloseOnExec));
                int read = fds[0], write = fds[1];
                return
                [
                    () =>
                    {
                        byte[] bytes = GC.AllocateArray<byte>(10_000, pinned: true);
                        for (int at = 0, size = 1; at < Total; size = size * 5 % 9973 + 1)
                        {
                            int count = Math.Min(size, Total - at);
                            for (int i = 0; i < count; i++)
                                bytes[i] = (byte)((at + i) * 7);
                            fixed (byte* first = bytes)
                            {
                                // A signal of the runtime's may end it early, on the real kernel.
                                for (int written = 0; written < count;)
                                {
                                    nint part = kernel.Write(write, first + written, (nuint)(count - written));
                                    Assert.InRange(part, 1, count - written);
                                    written += (int)part;
                                }
                            }

                            at += count;
                        }

                        kernel.Close(write);
                    },
                    () =>
                    {
                        byte* bytes = stackalloc byte[7000];
                        nint count;
                        while ((count = kernel.Read(read, bytes, 7000)) > 0)
                        {
                            for (int i = 0; i < count; i++)
                                sum = sum * 31 + bytes[i];
                        }

                        Assert.Equal(0, count);
                        kernel.Close(read);
                    },
                ];
            });
        Assert.Equal(expected, sum);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void One_wake_up_is_enough_for_all_readers_that_find_something(int where)
    {
        int got = 0;
        Threads.Run(
            where,
            kernel =>
            {
                got = 0;
                int* fds = stackalloc int[2];
                Assert.Equal(0, kernel.Pipe2(fds, FileFlags.CloseOnExec));
                int read = fds[0], write = fds[1];
                Action reader = () =>
                {
                    byte one;
                    Assert.Equal(1, kernel.Read(read, &one, 1));
                    Interlocked.Increment(ref got);
                };
                return
                [
                    reader,
                    reader,
                    reader,
                    () =>
                    {
                        byte* bytes = stackalloc byte[3];
                        Assert.Equal(3, kernel.Write(write, bytes, 3));
                    },
                ];
            });
        Assert.Equal(3, got);
    }

    [Fact]
    public void A_writer_that_is_blocked_hears_of_the_reader_s_end()
    {
        nint result = 0;
        Threads.Run(
            1,
            kernel =>
            {
                int* fds = stackalloc int[2];
                Assert.Equal(0, kernel.Pipe2(fds, FileFlags.CloseOnExec));
                int read = fds[0], write = fds[1];
                return
                [
                    () =>
                    {
                        byte[] bytes = new byte[100_000];
                        fixed (byte* first = bytes)
                        {
                            Assert.Equal(65_536, kernel.Write(write, first, 100_000)); // what went in before counts
                            result = kernel.Write(write, first, 1);
                        }
                    },
                    () =>
                    {
                        var entry = new PollEntry { Descriptor = write, Events = (short)EpollEvents.Out };
                        while (kernel.Poll(&entry, 1, 1) == 1)
                        {
                        }

                        kernel.Close(read);
                    },
                ];
            });
        Assert.Equal(-(int)Errno.EPIPE, result);
    }
}
