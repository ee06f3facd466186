using System.Net;
using ReplicatedStore;

namespace Weir.Simulation.Tests;

/// <summary>
/// The sample's replicated store on three emulated machines, with clients on three more, in a world of trouble: machines crash, lose sight of each
/// other in both directions or in one, and what is sent is held up. In the end everything works again, and then the history is checked.
/// </summary>
internal sealed class StoreWorld
{
    private const int Replicas = 3;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly Sim _sim;
    private readonly Settings _settings;
    private readonly SimHost[] _replicas = new SimHost[Replicas];
    private readonly SimHost[] _clients;
    private readonly EndPoint[] _addresses;
    private readonly History _history;

    /// <summary>What is run.</summary>
    internal sealed record Settings
    {
        internal int Clients { get; init; } = 3;

        internal int Operations { get; init; } = 8;

        /// <summary>How many kinds of trouble there may be at once.</summary>
        internal int Troubles { get; init; } = 2;

        internal bool Durable { get; init; } = true;

        internal StoreOptions Store { get; init; } = new();
    }

    private StoreWorld(Sim sim, Settings settings)
    {
        _sim = sim;
        _settings = settings;
        _history = new History(() => sim.Elapsed);
        for (int i = 0; i < Replicas; i++)
            _replicas[i] = sim.AddHost($"replica {i + 1}", $"10.0.0.{i + 1}");
        _addresses = [.. _replicas.Select(replica => new IPEndPoint(replica.Addresses[0], 7101))];
        _clients = [.. Enumerable.Range(1, settings.Clients).Select(number => sim.AddHost($"client {number}", $"10.0.1.{number}"))];
    }

    internal static Func<Sim, Task> Program(Settings settings) => sim => new StoreWorld(sim, settings).Run();

    private async Task Run()
    {
        _sim.Network.DefaultLink = new SimLink { Latency = TimeSpan.FromMilliseconds(1), Jitter = TimeSpan.FromMilliseconds(7) };
        foreach (SimHost replica in _replicas)
            Start(replica);
        SimLoop[] clients = new SimLoop[_clients.Length];
        for (int i = 0; i < clients.Length; i++)
        {
            int number = i + 1;
            clients[i] = _sim.Loop(_clients[i].Name, () => UseStore(number), _clients[i].Kernel);
        }

        EventLoop loop = EventLoop.Current!;
        Task[] troubles = [.. Enumerable.Range(0, _settings.Troubles).Select(_ => loop.Spawn(() => MakeTrouble(clients)))];
        await Task.WhenAll(troubles);
        while (!clients.All(client => client.HasEnded))
            await loop.Delay(Second);
        await LookAgain();
        _history.Check();
    }

    private void Start(SimHost replica)
    {
        int index = Array.IndexOf(_replicas, replica);
        var server = new Replica(_addresses[index], _settings.Durable ? "/journal" : null);
        _sim.Loop(replica.Name, server.RunAsync, replica.Kernel);
    }

    private async Task UseStore(int number)
    {
        string name = $"client {number}";
        await using var store = new StoreClient(number, _addresses, _settings.Store);
        for (int i = 1; i <= _settings.Operations; i++)
        {
            int pause = _sim.Choose($"pause of {name} in ms", 10, 0, 1, 100, 1000);
            await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(pause));
            switch (_sim.Choose(name, "rests", "get x", "set x", "get y", "set y"))
            {
                case ['g', .., var key]:
                    await Get(store, name, $"{key}");
                    break;
                case ['s', .., var key]:
                    await Set(store, name, $"{key}", $"{number}.{i}");
                    break;
            }
        }
    }

    private async Task Get(StoreClient store, string name, string key)
    {
        Operation get = _history.BeginGet(name, key);
        try
        {
            _history.EndGet(get, await store.GetAsync(key));
        }
        catch (TimeoutException)
        {
            // Two of three were out of reach.
        }
    }

    private async Task Set(StoreClient store, string name, string key, string value)
    {
        Operation set = _history.BeginSet(name, key, value);
        try
        {
            await store.SetAsync(key, value);
            _history.EndSet(set);
        }
        catch (TimeoutException)
        {
            // It may have happened, or may yet.
        }
    }

    /// <summary>When nothing fails any more, everything can be read.</summary>
    private async Task LookAgain()
    {
        await using var store = new StoreClient(100, _addresses);
        foreach (string key in (string[])["x", "y"])
        {
            Operation get = _history.BeginGet("at the end", key);
            _history.EndGet(get, await store.GetAsync(key));
        }
    }

    // Trouble

    private sealed record Trouble(string Name, Action Begin, Action End)
    {
        public override string ToString() => Name;
    }

    private async Task MakeTrouble(SimLoop[] clients)
    {
        EventLoop loop = EventLoop.Current!;
        Trouble[] kinds = [.. Troubles()];
        while (!clients.All(client => client.HasEnded))
        {
            Trouble trouble = _sim.Choose<Trouble>("trouble", kinds);
            trouble.Begin();
            await loop.Delay(TimeSpan.FromMilliseconds(_sim.Choose("for so many ms", 20, 5, 100, 500, 3000)));
            trouble.End();
            await loop.Delay(TimeSpan.FromMilliseconds(_sim.Choose("then peace for so many ms", 20, 1, 300)));
        }
    }

    private IEnumerable<Trouble> Troubles()
    {
        SimNetwork network = _sim.Network;
        yield return new Trouble("none", () => { }, () => { });
        foreach (SimHost replica in _replicas)
        {
            yield return new Trouble($"{replica} crashes", replica.Crash, () => Restart(replica));
            yield return new Trouble($"{replica} is cut off", () => All(replica, network.Partition), () => All(replica, network.Heal));
            yield return new Trouble($"{replica} hears nothing", () => All(replica, (replica, client) => network.PartitionOneWay(client, replica)), () => All(replica, network.Heal));
            yield return new Trouble($"{replica} is not heard", () => All(replica, network.PartitionOneWay), () => All(replica, network.Heal));
            yield return new Trouble($"{replica} hears late", () => All(replica, (replica, client) => network.Hold(client, replica)), () => All(replica, (replica, client) => network.Release(client, replica)));
            SimHost last = _clients[^1];
            yield return new Trouble($"{replica} and {last} do not see each other", () => network.Partition(replica, last), () => network.Heal(replica, last));
        }
    }

    private void Restart(SimHost replica)
    {
        if (replica.IsUp)
            return; // the other trouble was the same one
        replica.Restart();
        Start(replica);
    }

    private void All(SimHost replica, Action<SimHost, SimHost> act)
    {
        foreach (SimHost client in _clients)
            act(replica, client);
    }
}
