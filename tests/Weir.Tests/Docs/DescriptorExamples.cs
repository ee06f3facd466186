using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Weir.Net;

namespace Weir.Tests;

/// <summary>The examples of docs/descriptors.md. Each runs as a test.</summary>
public class DescriptorExamples
{
    [Fact]
    public void A_thread_signals_and_the_loop_waits()
    {
        long total = EventLoop.Run(async () =>
        {
            using var signal = new EventSignal();
            var worker = new Thread(() =>
            {
                for (int i = 0; i < 10; i++)
                    signal.Signal(); // any thread, one system call
            });
            worker.Start();

            long sum = 0;
            while (sum < 10)
                sum += await signal.WaitAsync(); // many signals may arrive as one event: the wait returns how many

            return sum;
        });

        Assert.Equal(10, total);
    }

    [Fact]
    public void A_pipe_is_two_streams()
    {
        string? line = EventLoop.Run(async () =>
        {
            (PipeEnd reader, PipeEnd writer) = PipeEnd.CreatePair();
            await using (writer)
                await writer.WriteAsync("through the kernel\n"u8.ToArray());

            using var text = new StreamReader(reader); // any code that reads streams will do; it disposes the reading end
            return await text.ReadLineAsync();
        });

        Assert.Equal("through the kernel", line);
    }

    [Fact]
    public void A_borrowed_socket_of_the_framework_is_waited_for_on_the_loop()
    {
        int received = EventLoop.Run(async () =>
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            socket.SendTo("ping"u8, socket.LocalEndPoint!);

            using var watcher = new FdWatcher(socket.SafeHandle); // lent: the socket stays the framework's
            byte[] buffer = new byte[2048];
            while (true)
            {
                await watcher.WaitReadableAsync();
                try
                {
                    return socket.Receive(buffer);
                }
                catch (SocketException nothing) when (nothing.SocketErrorCode == SocketError.WouldBlock)
                {
                    // Waits may return early: try, and wait again.
                }
            }
        });

        Assert.Equal(4, received);
    }

    [Fact]
    public void An_owned_descriptor_remembers_its_readiness_until_it_is_cleared()
    {
        EventLoop.Run(async () =>
        {
            int fd = KernelException.Check(Kernel.Linux.EventFd(1, EventFdFlags.CloseOnExec), "eventfd");
            using var watcher = new FdWatcher(fd, FdOwnership.Owned, EpollEvents.In); // made non-blocking, closed with the watcher

            await watcher.WaitReadableAsync();
            Assert.Equal(EpollEvents.In, watcher.Readiness); // the next wait would return at once

            byte[] counter = new byte[8];
            await watcher.WaitAndReadAsync(counter); // waits, reads, and clears readiness when the read finds nothing
            Assert.Equal(1, BitConverter.ToInt64(counter));

            watcher.Clear(EpollEvents.In); // by hand: after your own call said EAGAIN
            Assert.Equal(EpollEvents.None, watcher.Readiness);
        });
    }

    [Fact]
    public void Who_lends_a_descriptor_says_when_it_closes_it()
    {
        Exception? end = EventLoop.Run(async () =>
        {
            int fd = KernelException.Check(Kernel.Linux.EventFd(0, EventFdFlags.CloseOnExec | EventFdFlags.NonBlock), "eventfd");
            var watcher = new FdWatcher(fd);
            Task wait = watcher.WaitReadableAsync().AsTask();

            FdWatcher.NotifyClosing(fd); // first: ends the waits and removes the registration while that is still possible
            Kernel.Linux.Close(fd);      // then close

            return await Record.ExceptionAsync(() => wait); // ObjectDisposedException
        });

        Assert.IsAssignableFrom<ObjectDisposedException>(end);
    }

    [Fact]
    public void A_regular_file_cannot_be_waited_for()
    {
        Exception? refusal = EventLoop.Run(async () =>
        {
            using SafeHandle file = File.OpenHandle(Environment.ProcessPath!);
            using var watcher = new FdWatcher(file);
            return await Record.ExceptionAsync(async () => await watcher.WaitReadableAsync()); // KernelException, Errno.EPERM
        });

        Assert.Equal(Errno.EPERM, Assert.IsType<KernelException>(refusal).Errno);
    }

    [Fact]
    public void One_reader_at_a_time()
    {
        EventLoop.Run(async () =>
        {
            (Connection here, Connection there) = Connection.CreatePair();
            ValueTask<int> first = here.ReadAsync(new byte[1]);
            Assert.Throws<BusyResourceException>(() => { _ = here.ReadAsync(new byte[1]); }); // the second is refused at once

            await there.WriteAsync(new byte[1]);
            Assert.Equal(1, await first); // the first is untouched
            here.Dispose();
            there.Dispose();
        });
    }
}
