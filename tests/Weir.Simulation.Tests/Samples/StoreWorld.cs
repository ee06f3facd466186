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

        internal int Operations { get; init; } = 10;

        /// <summary>How many troubles there may be at once.</summary>
        internal int Troubles { get; init; } = 3;

        /// <summary>How much longer than a millisecond a message may take.</summary>
        internal TimeSpan Jitter { get; init; } = TimeSpan.FromMilliseconds(21);

        /// <summary>Whether replicas keep a journal, which outlives a crash.</summary>
        internal bool Durable { get; init; } = true;

        /// <summary>Whether gets do both of their halves.</summary>
        internal bool WriteBack { get; init; } = true;
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
        _sim.Network.DefaultLink = new SimLink { Latency = TimeSpan.FromMilliseconds(1), Jitter = _settings.Jitter };
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
        await using var store = new StoreClient(number, _addresses, new StoreOptions { Timeout = Second, WriteBack = _settings.WriteBack });
        for (int i = 1; i <= _settings.Operations; i++)
        {
            int pause = _sim.Choose($"pause of {name} in ms", 10, 0, 1, 100);
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

    private async Task MakeTrouble(SimLoop[] clients)
    {
        EventLoop loop = EventLoop.Current!;
        while (!clients.All(client => client.HasEnded))
        {
            Action end = BeginTrouble();
            await loop.Delay(TimeSpan.FromMilliseconds(_sim.Choose("for so many ms", 20, 5, 100, 500, 3000)));
            end();
            await loop.Delay(TimeSpan.FromMilliseconds(_sim.Choose("then peace for so many ms", 20, 1, 300)));
        }
    }

    /// <summary>Something goes wrong, until what is returned is called.</summary>
    private Action BeginTrouble()
    {
        SimNetwork network = _sim.Network;
        string trouble = _sim.Choose("trouble", "none", "a crash", "a partition", "requests lost", "answers lost", "requests late", "answers late");
        if (trouble == "none")
            return () => { };
        SimHost replica = _sim.Choose<SimHost>("at", _replicas);
        if (trouble == "a crash")
        {
            replica.Crash();
            return () => Restart(replica);
        }

        int number = _sim.Choose<int>("for client (0: all)", [.. Enumerable.Range(0, _clients.Length + 1)]);
        SimHost[] clients = number == 0 ? _clients : [_clients[number - 1]];
        switch (trouble)
        {
            case "requests late":
                Each(network.Hold);
                return () => Each(network.Release);
            case "answers late":
                Each((client, replica) => network.Hold(replica, client));
                return () => Each((client, replica) => network.Release(replica, client));
            case "a partition":
                Each(network.Partition);
                break;
            case "requests lost":
                Each(network.PartitionOneWay);
                break;
            default:
                Each((client, replica) => network.PartitionOneWay(replica, client));
                break;
        }

        return () => Each(network.Heal);

        void Each(Action<SimHost, SimHost> act)
        {
            foreach (SimHost client in clients)
                act(client, replica);
        }
    }

    private void Restart(SimHost replica)
    {
        if (replica.IsUp)
            return; // another trouble was the same one
        replica.Restart();
        Start(replica);
    }
}
