namespace Weir.Tests;

public class PipeEndTests : LoopTests
{
    [Fact]
    public void What_is_written_to_one_end_is_read_from_the_other_until_the_end()
        => Run(async loop =>
        {
            var (reader, writer) = PipeEnd.CreatePair();
            using (reader)
            {
                ValueTask<int> read = reader.ReadAsync(new byte[10]);
                await Settle();
                Assert.False(read.IsCompleted);
                await writer.WriteAsync(new byte[3]);
                Assert.Equal(3, await read);
                writer.Dispose();
                Assert.Equal(0, await reader.ReadAsync(new byte[10]));
                Assert.Equal(0, await reader.ReadAsync(new byte[10]));
            }
        });

    [Fact]
    public void A_write_larger_than_the_pipe_ends_when_all_has_been_read()
        => Run(async loop =>
        {
            const int Size = 1 << 20;
            var (reader, writer) = PipeEnd.CreatePair();
            using PipeEnd first = reader, second = writer;
            byte[] data = new byte[Size];
            Random.Shared.NextBytes(data);
            Task write = writer.WriteAsync(data).AsTask();
            Assert.False(write.IsCompleted);
            byte[] received = new byte[Size];
            await reader.ReadExactlyAsync(received);
            await write;
            Assert.Equal(data, received);
        });

    [Fact]
    public void Each_end_goes_one_way()
        => Run(async loop =>
        {
            var (reader, writer) = PipeEnd.CreatePair();
            using PipeEnd first = reader, second = writer;
            Assert.Equal((true, false, false), (reader.CanRead, reader.CanWrite, reader.CanSeek));
            Assert.Equal((false, true, false), (writer.CanRead, writer.CanWrite, writer.CanSeek));
            await Assert.ThrowsAsync<NotSupportedException>(async () => _ = await writer.ReadAsync(new byte[1]));
            await Assert.ThrowsAsync<NotSupportedException>(async () => await reader.WriteAsync(new byte[1]));
            Assert.Throws<NotSupportedException>(() => reader.Seek(0, SeekOrigin.Begin));
            Assert.Throws<NotSupportedException>(() => reader.SetLength(0));
            Assert.Throws<NotSupportedException>(() => reader.Length);
            Assert.Throws<NotSupportedException>(() => reader.Position);
        });

    [Fact]
    public void A_writer_without_a_reader_gets_EPIPE_also_while_it_waits()
        => Run(async loop =>
        {
            var (reader, writer) = PipeEnd.CreatePair();
            using PipeEnd second = writer;
            Task waiting = writer.WriteAsync(new byte[1 << 20]).AsTask();
            await Settle();
            reader.Dispose();
            Assert.Equal(Errno.EPIPE, (await Assert.ThrowsAsync<KernelException>(() => waiting)).Errno);
            Assert.Equal(Errno.EPIPE, (await Assert.ThrowsAsync<KernelException>(async () => await writer.WriteAsync(new byte[1]))).Errno);
        });

    [Theory]
    [InlineData(nameof(Weir.Kernel.Pipe2), 1)]
    [InlineData(nameof(Weir.Kernel.EpollCtl), 1)]
    public virtual void A_pair_that_cannot_be_made_leaves_nothing_open(string call, int times)
        => Run(loop =>
        {
            Kernel.FailNext(call, Errno.ENOSPC, times);
            long closed = Kernel.Count(nameof(Weir.Kernel.Close));
            Assert.Throws<KernelException>(() => PipeEnd.CreatePair());
            Assert.Equal(call == nameof(Weir.Kernel.Pipe2) ? closed : closed + 2, Kernel.Count(nameof(Weir.Kernel.Close)));
            Assert.Equal(0, loop.Statistics.Descriptors);
            return Task.CompletedTask;
        });
}
