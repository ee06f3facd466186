namespace Weir.Simulation.Tests;

public class FifoTests
{
    private const EpollEvents In = EpollEvents.In | EpollEvents.EdgeTriggered;

    [Fact]
    public void A_reader_hears_of_the_writer_s_end_only_after_there_was_one()
        => TwoKernels.Agree(probe =>
        {
            string path = probe.Path("fifo");
            probe.MakeFifo(path);
            int reader = probe.Open(path, FileFlags.NonBlock, "reader");
            probe.StatusFlags(reader);
            probe.Poll(reader);
            probe.Read(reader, 1);
            int epoll = probe.Epoll();
            probe.Add(epoll, reader, In);
            int writer = probe.Open(path, FileFlags.WriteOnly | FileFlags.NonBlock, "writer");
            probe.Events(epoll, "a writer's coming");
            probe.Poll(reader);
            probe.Poll(writer);
            probe.Read(reader, 1);
            probe.Write(writer, 1);
            probe.Events(epoll, "a write");
            probe.Close(writer);
            probe.Events(epoll, "the writer's end");
            probe.Poll(reader);
            probe.Drain(reader);
            probe.Poll(reader);
            int second = probe.Open(path, FileFlags.NonBlock, "second reader");
            probe.Poll(second);
            probe.Poll(reader);
            writer = probe.Open(path, FileFlags.WriteOnly | FileFlags.NonBlock, "new writer");
            probe.Events(epoll, "a new writer's coming");
            probe.Poll(reader);
            probe.Close(writer);
            probe.Poll(second);
            probe.Unlink(path);
            probe.Kernel.Close(epoll);
        });

    [Fact]
    public void Without_a_reader_a_nonblocking_writer_is_refused()
        => TwoKernels.Agree(probe =>
        {
            string path = probe.Path("fifo");
            probe.MakeFifo(path);
            probe.MakeFifo(path);
            probe.TryOpen(path, FileFlags.WriteOnly | FileFlags.NonBlock);
            probe.TryOpen(path, (FileFlags)3);
            probe.TryOpen(path, FileFlags.ReadWrite | FileFlags.Create | FileFlags.Exclusive);
            probe.TryOpen(path, FileFlags.ReadWrite | OpenFlags.Directory);
            probe.TryOpen(path + "/", FileFlags.ReadWrite);
            probe.TryOpen(path + "/in", FileFlags.ReadWrite);
            probe.MakeFifo(path + "/in");
            probe.MakeFifo("/tmp");
            probe.MakeFifo("/tmp/weir-no-such-directory/fifo");
            probe.MakeFifo("");
            probe.Unlink(path);
            probe.Unlink(path);
            probe.TryOpen(path, FileFlags.ReadOnly | FileFlags.NonBlock);
        });

    [Fact]
    public void Opened_for_both_it_is_its_own_peer_and_hears_of_both_directions()
        => TwoKernels.Agree(probe =>
        {
            string path = probe.Path("fifo");
            probe.MakeFifo(path);
            int both = probe.Open(path, FileFlags.ReadWrite | FileFlags.NonBlock, "both");
            probe.Poll(both);
            int epoll = probe.Epoll();
            probe.Add(epoll, both, In | EpollEvents.Out);
            probe.Events(epoll, "ADD");
            probe.Write(both, 10);
            probe.Events(epoll, "a write");
            probe.Read(both, 4);
            probe.Events(epoll, "a read of some");
            probe.Fill(both);
            probe.Events(epoll, "filling it");
            probe.Drain(both);
            probe.Events(epoll, "draining it");
            probe.Unlink(path);
            probe.Kernel.Close(epoll);
        });

    [Fact]
    public void What_is_in_it_goes_with_the_last_who_has_it_open()
        => TwoKernels.Agree(probe =>
        {
            string path = probe.Path("fifo");
            probe.MakeFifo(path);
            int both = probe.Open(path, FileFlags.ReadWrite | FileFlags.NonBlock, "both");
            probe.Write(both, 10);
            int reader = probe.Open(path, FileFlags.NonBlock, "reader");
            probe.Close(both);
            probe.Readable(reader);
            probe.Close(reader);
            reader = probe.Open(path, FileFlags.NonBlock, "later reader");
            probe.Readable(reader);
            probe.Unlink(path);
        });

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Blocking_opens_wait_for_each_other(int where)
    {
        nint got = 0;
        Threads.Run(
            where,
            kernel =>
            {
                got = 0;
                var probe = new Probe(kernel);
                string path = probe.Path("fifo");
                Assert.Equal(0, probe.MakeFifo(path));
                return
                [
                    () =>
                    {
                        using var reader = new Probe(kernel);
                        got = reader.Read(reader.Open(path, FileFlags.ReadOnly, "reader"), 100);
                    },
                    () =>
                    {
                        using var writer = new Probe(kernel);
                        writer.Write(writer.Open(path, FileFlags.WriteOnly, "writer"), 5);
                        probe.Unlink(path);
                    },
                ];
            });
        Assert.Equal(5, got);
    }
}
