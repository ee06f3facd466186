// An echo server: sends back whatever it receives.
//   dotnet run --project samples/Echo -- 127.0.0.1:7000        and then:  nc 127.0.0.1 7000
using System.Net;
using Weir;
using Weir.Net;

if (args.Length > 1 || !IPEndPoint.TryParse(args.Length == 0 ? "127.0.0.1:7000" : args[0], out IPEndPoint? address))
{
    Console.Error.WriteLine("usage: Echo [address:port]    for example: Echo 127.0.0.1:7000");
    return 2;
}

try
{
    // One loop on this thread: everything inside runs here, one piece of code at a time.
    EventLoop.Run(async () =>
    {
        using Listener listener = Listener.Bind(address);
        Console.WriteLine($"listening on {listener.LocalEndPoint}");

        // Each connection gets a task of its own and is closed when that ends, however it ends.
        await listener.AcceptAllAsync(async connection =>
        {
            byte[] buffer = new byte[16 * 1024];
            int count;
            while ((count = await connection.ReadAsync(buffer)) > 0)
                await connection.WriteAsync(buffer.AsMemory(0, count));
        });
    });
    return 0;
}
catch (KernelException failure)
{
    Console.Error.WriteLine(failure.Message); // "bind(127.0.0.1:7000), fd 20: EADDRINUSE: the address is in use; ..."
    return 1;
}
