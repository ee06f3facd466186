using System.Net;
using Weir.Net;

namespace Weir.Simulation.Tests;

public class CrashTests
{
    private static IPEndPoint At(SimHost host) => new(host.Addresses[0], 7000);

    private static async Task Echo(SimHost host)
    {
        using Listener listener = Listener.Bind(At(host));
        await listener.AcceptAllAsync(async connection =>
        {
            byte[] buffer = new byte[65_536];
            while (await connection.ReadAsync(buffer) is int count and > 0)
                await connection.WriteAsync(buffer.AsMemory(0, count));
        });
    }

    private static async Task RoundTrip(Connection connection)
    {
        await connection.WriteAsync(new byte[5]);
        await connection.ReadExactlyAsync(new byte[5]);
    }

    private static async Task Pause(double seconds = 0.001) => await EventLoop.Current!.Delay(TimeSpan.FromSeconds(seconds));

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void The_peer_of_a_crashed_host_is_reset_when_it_sends_after_the_restart(SimMode mode) => Sim.Run(
        1,
        async sim =>
        {
            SimHost server = sim.AddHost("server", "10.0.0.2");
            SimLoop before = sim.Loop("server", () => Echo(server), server.Kernel);
            await Pause();
            await using Connection connection = await Connection.ConnectAsync(At(server));
            await RoundTrip(connection);
            server.Crash();
            Assert.False(server.IsUp);
            await Pause(1);
            Assert.True(before.HasEnded);
            Assert.Null(before.Exception);

            SimKernel again = server.Restart();
            Assert.Same(again, server.Kernel);
            sim.Loop("server again", () => Echo(server), again);
            await Pause();
            KernelException exception = await Assert.ThrowsAsync<KernelException>(() => RoundTrip(connection));
            Assert.Equal(Errno.ECONNRESET, exception.Errno);
            await using Connection fresh = await Connection.ConnectAsync(At(server));
            await RoundTrip(fresh);
        },
        new SimOptions { Mode = mode });

    [Fact]
    public void The_peer_of_a_host_that_stays_away_waits_until_it_gives_up() => Sim.Run(
        1,
        async sim =>
        {
            SimHost server = sim.AddHost("server", "10.0.0.2");
            sim.Loop("server", () => Echo(server), server.Kernel);
            await Pause();
            await using Connection connection = await Connection.ConnectAsync(At(server));
            await RoundTrip(connection);
            server.Crash();
            TimeSpan before = sim.Elapsed;
            KernelException exception = await Assert.ThrowsAsync<KernelException>(() => RoundTrip(connection));
            Assert.Equal(Errno.ETIMEDOUT, exception.Errno);
            Assert.InRange((sim.Elapsed - before).TotalMinutes, 15, 18);
        });

    [Fact]
    public void Threads_of_a_crashed_host_go_no_further() => Sim.Run(
        1,
        async sim =>
        {
            SimHost host = sim.AddHost("host", "10.0.0.2");
            bool unwound = false, wentOn = false;
            sim.Thread(
                "reader",
                () =>
                {
                    try
                    {
                        Blocking.Read(host.Kernel);
                        wentOn = true;
                    }
                    finally
                    {
                        unwound = true;
                    }
                },
                host.Kernel);
            await Pause();
            host.Crash();
            await Pause();
            Assert.True(unwound);
            Assert.False(wentOn);
        });

    [Fact]
    public void A_host_that_crashes_itself_ends_there() => Sim.Run(
        1,
        async sim =>
        {
            SimHost host = sim.AddHost("host", "10.0.0.2");
            bool wentOn = false;
            SimLoop loop = sim.Loop(
                "suicidal",
                async () =>
                {
                    await EventLoop.Yield();
                    host.Crash();
                    wentOn = true;
                },
                host.Kernel);
            await Pause();
            Assert.False(host.IsUp);
            Assert.True(loop.HasEnded);
            Assert.False(wentOn);
            Assert.Throws<InvalidOperationException>(() => sim.Host.Crash());
            Assert.Throws<InvalidOperationException>(() => host.StartProcess("late"));
        });

    [Theory]
    [InlineData(SimMode.Stepping)]
    [InlineData(SimMode.Threads)]
    public void A_loop_that_had_not_begun_when_its_host_crashed_never_does(SimMode mode) => Sim.Explore(
        async sim =>
        {
            SimHost host = sim.AddHost("host", "10.0.0.2");
            bool hasCrashed = false, beganAfterwards = false;
            SimLoop loop = sim.Loop(
                "late",
                async () =>
                {
                    beganAfterwards |= hasCrashed;
                    await EventLoop.Current!.Delay(TimeSpan.FromHours(1));
                },
                host.Kernel);
            await EventLoop.Yield();
            host.Crash();
            hasCrashed = true;
            await Pause();
            Assert.True(loop.HasEnded);
            Assert.False(beganAfterwards);
        },
        new ExploreOptions { Mode = mode, Runs = 20 });

    [Fact]
    public void Files_outlive_a_crash_and_descriptors_do_not() => Sim.Run(
        1,
        async sim =>
        {
            await EventLoop.Yield();
            SimHost host = sim.AddHost("host", "10.0.0.2");
            SimKernel before = host.Kernel;
            int fd = Blocking.WriteFile(before, "/tmp/log", [1, 2, 3]);
            host.Restart();
            Assert.Equal([1, 2, 3], Blocking.ReadFile(host.Kernel, "/tmp/log"));
            Assert.Null(before.Descriptors.Find(fd));
        });

    [Fact]
    public void Ports_are_free_again_after_a_restart() => Sim.Run(
        1,
        async sim =>
        {
            SimHost host = sim.AddHost("host", "10.0.0.2");
            for (int i = 0; i < 3; i++)
            {
                sim.Loop($"server {i}", () => Echo(host), host.Kernel);
                await Pause();
                await using Connection connection = await Connection.ConnectAsync(At(host));
                await RoundTrip(connection);
                host.Restart();
            }
        });

    private static unsafe class Blocking
    {
        internal static void Read(Kernel kernel)
        {
            int fd = kernel.EventFd(0, EventFdFlags.CloseOnExec);
            ulong value;
            kernel.Read(fd, &value, 8);
        }

        internal static int WriteFile(Kernel kernel, string path, byte[] bytes)
        {
            int fd = Open(kernel, path, FileFlags.ReadWrite | FileFlags.Create);
            fixed (byte* start = bytes)
                Assert.Equal(bytes.Length, kernel.Write(fd, start, (nuint)bytes.Length));
            return fd;
        }

        internal static byte[] ReadFile(Kernel kernel, string path)
        {
            int fd = Open(kernel, path, FileFlags.ReadOnly);
            byte[] bytes = new byte[100];
            nint count;
            fixed (byte* start = bytes)
                count = kernel.Read(fd, start, 100);
            kernel.Close(fd);
            return bytes[..(int)count];
        }

        private static int Open(Kernel kernel, string path, FileFlags flags)
        {
            fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(path + "\0"))
            {
                int fd = kernel.Open(name, flags, 0x1A4);
                Assert.True(fd >= 0);
                return fd;
            }
        }
    }
}
