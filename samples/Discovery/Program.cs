// Finds services on the local network: who serves listens to a group of addresses, who searches asks the group and hears everybody's answer.
//   dotnet run --project samples/Discovery -- serve printer        and elsewhere:  dotnet run --project samples/Discovery -- find
// A third argument is the number of the network interface (`ip link`); 1 is the loopback.
using System.Net;
using System.Text;
using Weir;
using Weir.Net;

const int Port = 7077;
IPAddress group = IPAddress.Parse("239.255.77.77"); // of this site only
string command = args.ElementAtOrDefault(0) ?? "";
bool serves = command == "serve" && args.Length >= 2;
if (!(serves || command == "find") || !int.TryParse(args.ElementAtOrDefault(serves ? 2 : 1) ?? "0", out int network))
{
    Console.Error.WriteLine("usage: Discovery serve NAME [interface]   or   Discovery find [interface]");
    return 2;
}

try
{
    EventLoop.Run(() => serves ? Serve(args[1]) : Find());
    return 0;
}
catch (KernelException failure)
{
    Console.Error.WriteLine(failure.Message); // "setsockopt(IpAddMembership), fd 20: ENODEV: ..."
    return 1;
}

async Task Serve(string name)
{
    // Several services of one machine share the port; what goes to the group comes to each.
    using DatagramSocket socket = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, Port), new DatagramOptions { ReuseAddress = true });
    socket.JoinGroup(group, network);
    Console.WriteLine($"{name} can be found");
    byte[] question = new byte[64], answer = Encoding.UTF8.GetBytes(name);
    SocketAddress from = socket.CreateAddress();
    while (true)
    {
        int length = await socket.ReceiveFromAsync(question, from);
        if (question.AsSpan(0, length).SequenceEqual("who is there?"u8))
            await socket.SendToAsync(answer, from);
    }
}

async Task Find()
{
    using DatagramSocket socket = DatagramSocket.Bind(new IPEndPoint(IPAddress.Any, 0));
    if (network != 0)
        socket.SetMulticastInterface(network);
    await socket.SendToAsync("who is there?"u8.ToArray(), new IPEndPoint(group, Port));
    using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1), EventLoop.Current!.TimeProvider);
    byte[] answer = new byte[256];
    try
    {
        while (true)
        {
            ReceivedDatagram received = await socket.ReceiveFromAsync(answer, patience.Token);
            Console.WriteLine($"{Encoding.UTF8.GetString(answer, 0, received.Length)} at {received.From}");
        }
    }
    catch (OperationCanceledException)
    {
        // Whoever has not answered by now is not there.
    }
}
