using System.Net;
using Weir.Net;

namespace Weir.Simulation.Tests;

/// <summary>The test that README.md shows.</summary>
public class ReadmeExamples
{
    [Fact]
    public void Every_client_gets_back_what_it_sent() => Sim.Explore(async sim =>
    {
        sim.Faults.Add(SimFault.ShortRead, 0.1);
        sim.Faults.Add(SimFault.LateArrival, 0.1);
        SimHost server = sim.AddHost("server", "10.0.0.1");
        sim.Loop("server", () => Serve(new IPEndPoint(IPAddress.Any, 7000)), server.Kernel);
        for (int client = 0; client < 10; client++)
            await AskAndCheck(new IPEndPoint(IPAddress.Parse("10.0.0.1"), 7000));
    });

    private static async Task Serve(IPEndPoint address)
    {
        using Listener listener = Listener.Bind(address);
        await listener.AcceptAllAsync(
            async connection =>
            {
                byte[] buffer = new byte[16 * 1024];
                int count;
                while ((count = await connection.ReadAsync(buffer)) > 0)
                    await connection.WriteAsync(buffer.AsMemory(0, count));
            },
            EventLoop.Current!.Stopping);
    }

    private static async Task AskAndCheck(IPEndPoint address)
    {
        // The server may not listen yet.
        Connection? connection = null;
        while (connection == null)
        {
            try
            {
                connection = await Connection.ConnectAsync(address);
            }
            catch (KernelException refused) when (refused.Errno == Errno.ECONNREFUSED)
            {
                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(1));
            }
        }

        await using (connection)
        {
            byte[] sent = new byte[2000], received = new byte[sent.Length];
            new Random(7).NextBytes(sent);
            await connection.WriteAsync(sent);
            await connection.ReadExactlyAsync(received);
            Assert.Equal(sent, received);
        }
    }
}
