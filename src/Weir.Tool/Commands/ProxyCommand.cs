using System.CommandLine;
using System.Net;
using Weir.Tool.Proxy;

namespace Weir.Tool.Commands;

/// <summary><c>weir proxy</c>: passes TCP and unix connections on to other servers.</summary>
internal static class ProxyCommand
{
    private static readonly TimeSpan DefaultStatistics = TimeSpan.FromSeconds(5);

    internal static Command Create()
    {
        var listen = new Option<string[]>("--listen") { Description = "Where to listen: HOST:PORT, [IPv6]:PORT, *:PORT, unix:/path or unix:@name; systemd, systemd:NAME or fd:NUMBER for sockets handed over; may be given several times. Defaults to 127.0.0.1:7000.", HelpName = "ADDRESS" };
        var to = new Option<string[]>("--to") { Description = "A server to pass connections on to; may be given several times. Without one, to an echo server inside this program.", HelpName = "ADDRESS" };
        Option<Balance> balance = Options.Choice("--balance", "How connections are spread over several servers.", ("round-robin", Balance.RoundRobin), ("least-connections", Balance.LeastConnections));
        Option<TimeSpan?> connect = Options.Time("--connect-timeout", "How long to wait for a server to accept. Defaults to 5s.", zeroAllowed: false);
        Option<TimeSpan?> idle = Options.Time("--idle-timeout", "Close connections on which nothing moves for so long; 0, the default: never.", zeroAllowed: true);
        Option<TimeSpan?> drain = Options.Time("--drain-timeout", "How long connections may go on after SIGTERM or SIGINT; a second signal cuts them. Defaults to 10s.", zeroAllowed: true);
        Option<TimeSpan?> statistics = Options.Time("--stats", "A line of statistics on stderr so often, while there is news; 0: none. Defaults to 5s.", zeroAllowed: true);
        Option<int?> most = Options.Number("--max-connections", "Connections at a time; more wait to be accepted. Defaults to what the limit of descriptors has room for.", "NUMBER", 1, int.MaxValue);
        var noSplice = new Option<bool>("--no-splice") { Description = "Copy bulk data through buffers instead of splicing it." };
        Option<int?> spin = Options.Spin();
        Option<DriverKind> driver = Drivers.Option();

        var command = new Command("proxy", "Passes TCP and unix connections on to other servers.") { listen, to, balance, connect, idle, drain, statistics, most, noSplice, spin, driver };
        command.SetAction(arguments =>
        {
            string[] listenOn = arguments.GetValue(listen) is { Length: > 0 } given ? given : ["127.0.0.1:7000"];
            string[] upstreams = arguments.GetValue(to) ?? [];
            long descriptors = DescriptorLimit.Raise(Kernel.Linux);
            var settings = new ProxySettings
            {
                Listen = [.. listenOn.SelectMany(Address.ForListening)],
                Upstreams = [.. upstreams.Select(text => new Upstream(text, Address.ForConnecting(text)))],
                Balance = arguments.GetValue(balance),
                ConnectTimeout = arguments.GetValue(connect) ?? TimeSpan.FromSeconds(5),
                IdleTimeout = arguments.GetValue(idle) ?? TimeSpan.Zero,
                DrainTimeout = arguments.GetValue(drain) ?? TimeSpan.FromSeconds(10),
                StatisticsEach = arguments.GetValue(statistics) ?? DefaultStatistics,
                MaxConnections = ConnectionsFor(descriptors, upstreams.Length > 0 ? 2 : 3, arguments.GetValue(most)),
                MaxPipes = arguments.GetValue(noSplice) ? 0 : DescriptorLimit.Pipes(descriptors),
            };
            var options = new LoopOptions
            {
                Name = "proxy",
                Driver = arguments.GetValue(driver),
                SpinBeforeSleep = TimeSpan.FromMicroseconds(arguments.GetValue(spin) ?? 0),
                StopTimeout = TimeSpan.Zero, // the proxy has drained by itself
            };
            Drivers.Run(() => new ProxyRun(settings).RunAsync(), options);
            return 0;
        });
        return command;
    }

    // A client's, an upstream's, and with the echo server inside also that one's.
    private static int ConnectionsFor(long descriptors, int each, int? wanted)
    {
        int room = DescriptorLimit.Connections(descriptors, each);
        if (wanted is { } number)
        {
            return number <= room
                ? number
                : throw new ToolException($"--max-connections {number} takes {each} descriptors each, and the limit of {descriptors} (ulimit -Hn) has room for {room} connections: raise the limit, or ask for less.");
        }

        return room > 0 ? room : throw new ToolException($"the limit of {descriptors} descriptors (ulimit -Hn) has no room for connections: raise it.");
    }
}
