using System.Net;
using System.Net.Sockets;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Commands;

public class EchoCommandTests
{
    private const int SigInt = 2;
    private const int SigTerm = 15;

    [Theory]
    [InlineData]
    [InlineData("--buffer", "100")]
    [InlineData("--buffer", "1000000", "--spin", "50", "--driver", "epoll")]
    [InlineData("--buffer", "1000", "--driver", "auto")]
    public async Task What_is_sent_comes_back(params string[] options)
    {
        using ToolProcess tool = ToolProcess.StartListening(out IPEndPoint endPoint, "echo", options);
        using Socket client = TestServer.Connect(endPoint);
        client.Ping();
        await Transfer.RoundTrip(client, 4 << 20);
        client.Ping("small again");
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, client.Drain());
    }

    [Theory]
    [InlineData(SigTerm)]
    [InlineData(SigInt)]
    public void A_signal_ends_it_with_exit_code_0_although_clients_are_connected(int signal)
    {
        using ToolProcess tool = ToolProcess.StartListening(out IPEndPoint endPoint, "echo");
        using Socket client = TestServer.Connect(endPoint);
        client.Ping();
        tool.Signal(signal);
        (int exitCode, _, string errors) = tool.WaitForEnd();
        Assert.Equal((0, ""), (exitCode, errors));
    }
}
