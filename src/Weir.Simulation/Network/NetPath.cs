namespace Weir.Simulation;

/// <summary>One direction between two hosts.</summary>
internal sealed class NetPath(SimNetwork network, SimHost from, SimHost to)
{
    private const int JitterSteps = 8; // how many delays there are to choose from
    private const int HeaderLength = 40;

    private readonly Queue<Packet> _held = new();
    private long _freeAt; // when the last packet will be wholly on the wire, where bandwidth is limited

    internal SimHost From => from;

    internal SimHost To => to;

    /// <summary>Its own settings; null: the network's default.</summary>
    internal SimLink? Link { get; set; }

    internal bool IsPartitioned { get; set; }

    internal bool IsHeld { get; set; }

    /// <summary>Nothing can get lost on it.</summary>
    internal bool IsReliable => !IsPartitioned && !IsHeld && to.IsUp && Settings.Loss <= 0;

    private SimLink Settings => Link ?? network.DefaultLink;

    /// <summary>
    /// Puts a packet on the wire; it arrives not before <paramref name="notBefore"/>. When it arrives; -1: it is lost already.
    /// </summary>
    internal long Send(World world, Packet packet, long notBefore)
    {
        SimLink link = Settings;
        if (IsPartitioned || world.Choices.Strikes(link.Loss))
        {
            Lose(world, packet);
            return -1;
        }

        long start = world.Now;
        if (link.Bandwidth > 0)
        {
            start = Math.Max(start, _freeAt) + (long)((packet.Length + HeaderLength) * 1e9 / link.Bandwidth);
            _freeAt = start;
        }

        long arrival = start + link.Latency.Ticks * 100;
        if (link.Jitter > TimeSpan.Zero)
            arrival += link.Jitter.Ticks * 100 * world.Choices.World(JitterSteps, this) / (JitterSteps - 1);
        arrival = Math.Max(arrival, notBefore);
        packet.Path = this;
        world.Clock.At(arrival, packet.Arrive);
        return arrival;
    }

    /// <summary>A packet has come to the end of it.</summary>
    internal void Arrived(World world, Packet packet)
    {
        if (IsHeld)
            _held.Enqueue(packet);
        else if (IsPartitioned || !to.IsUp)
            Lose(world, packet);
        else
            network.Deliver(to.Stack, packet);
    }

    internal void Release(World world)
    {
        IsHeld = false;
        while (!IsHeld && _held.TryDequeue(out Packet? packet))
            Arrived(world, packet);
    }

    private void Lose(World world, Packet packet)
    {
        world.Log.Note($"lost: {packet.Source} to {packet.Destination}");
        network.Free(packet);
    }

    /// <inheritdoc/>
    public override string ToString() => $"a packet from {from} to {to}";
}
