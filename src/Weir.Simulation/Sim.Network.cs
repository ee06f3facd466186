using System.Net;

namespace Weir.Simulation;

public sealed partial class Sim
{
    // TEST-NET-1, which no real network uses.
    private static readonly IpAddress OwnAddress = IpAddress.From([192, 0, 2, 1]);

    /// <summary>The host that <see cref="Kernel"/> runs on, at 192.0.2.1.</summary>
    public SimHost Host { get; private set; } = null!;

    /// <summary>The network between the hosts.</summary>
    public SimNetwork Network => _world.Network;

    /// <summary>Adds a machine to the network.</summary>
    /// <param name="name">Its name in traces and findings.</param>
    /// <param name="addresses">Its addresses, of either version; each may be taken once in the network.</param>
    /// <exception cref="ArgumentException">No address is given, one cannot be read, or one is taken.</exception>
    public SimHost AddHost(string name, params string[] addresses)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(addresses);
        if (addresses.Length == 0)
            throw new ArgumentException("A host has at least one address.", nameof(addresses));
        var parsed = new IpAddress[addresses.Length];
        for (int i = 0; i < addresses.Length; i++)
        {
            if (!IPAddress.TryParse(addresses[i], out IPAddress? address))
                throw new ArgumentException($"'{addresses[i]}' is no IP address.", nameof(addresses));
            parsed[i] = IpAddress.From(address);
        }

        using SimNetwork.Entry entry = Network.Enter();
        return new SimHost(this, name, parsed);
    }

    private void AddOwnHost() => Host = new SimHost(this, "host", [OwnAddress], Kernel);
}
