using System.Net;
using Weir;

namespace ReplicatedStore;

/// <summary>
/// Reads and writes a store that is kept by several replicas, a majority of which must be reachable. Each key is an atomic register: gets and sets, by
/// any number of clients, behave as if each happened at one moment between its start and its end (Attiya, Bar-Noy, Dolev 1995, with many writers).
/// </summary>
/// <remarks>Made and used on one loop; any number of operations at a time.</remarks>
public sealed class StoreClient : IAsyncDisposable
{
    private readonly long _number;
    private readonly StoreOptions _options;
    private readonly ReplicaLink[] _links;
    private readonly Task _running;
    private readonly CancellationTokenSource _closing;
    private readonly EventLoop _loop = EventLoop.Current!;
    private long _counter; // of the last timestamp given away
    private long _lastId;

    /// <param name="number">This client's own, never given to another: not before, and not at another place.</param>
    /// <param name="replicas">Where they listen.</param>
    /// <param name="options">Null for the defaults.</param>
    public StoreClient(long number, IEnumerable<EndPoint> replicas, StoreOptions? options = null)
    {
        _number = number;
        _options = options ?? new StoreOptions();
        _closing = CancellationTokenSource.CreateLinkedTokenSource(_loop.Stopping);
        _links = [.. replicas.Select(replica => new ReplicaLink(replica, _options))];
        _running = Task.WhenAll(_links.Select(link => _loop.Spawn(() => link.RunAsync(_closing.Token), "link")));
    }

    /// <summary>The value of a key; null: it has none.</summary>
    /// <exception cref="TimeoutException">No majority of the replicas has answered in time.</exception>
    public Task<string?> GetAsync(string key, CancellationToken cancellationToken = default) => Limited(
        async limit =>
        {
            Versioned newest = await AskMajority(MessageKind.Query, key, default, limit);
            // A minority alone may hold it, from a write that is under way or was given up. Whoever reads after us must not find less than we did.
            if (_options.WriteBack)
                await AskMajority(MessageKind.Store, key, newest, limit);
            return newest.Value;
        },
        cancellationToken);

    /// <summary>Gives a key a value; null takes it away.</summary>
    /// <exception cref="TimeoutException">No majority of the replicas has answered in time. Whether the value is or will be seen, nobody knows.</exception>
    public Task SetAsync(string key, string? value, CancellationToken cancellationToken = default) => Limited(
        async limit =>
        {
            Versioned newest = await AskMajority(MessageKind.Query, key, default, limit);
            // Above our own last one too: that write may have been given up, and be where we did not look.
            _counter = Math.Max(_counter, newest.Timestamp.Counter) + 1;
            return await AskMajority(MessageKind.Store, key, new Versioned(new Timestamp(_counter, _number), value), limit);
        },
        cancellationToken);

    /// <summary>Closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        _closing.Cancel();
        try
        {
            await _running;
        }
        catch (OperationCanceledException)
        {
        }

        _closing.Dispose();
    }

    private async Task<Versioned> AskMajority(MessageKind kind, string key, Versioned versioned, CancellationToken cancellationToken)
    {
        var request = new Message(kind, ++_lastId, key, versioned);
        var quorum = new Quorum(_links.Length / 2 + 1);
        foreach (ReplicaLink link in _links)
            link.Ask(request, quorum);
        try
        {
            return await quorum.Reached.WaitAsync(cancellationToken);
        }
        finally
        {
            foreach (ReplicaLink link in _links)
                link.Forget(request.Id);
        }
    }

    private async Task<T> Limited<T>(Func<CancellationToken, Task<T>> operation, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_options.Timeout, _loop.TimeProvider);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _closing.Token, cancellationToken);
        try
        {
            return await operation(limit.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            throw new TimeoutException($"No majority of {_links.Length} replicas has answered within {_options.Timeout.TotalSeconds:0.###} s.");
        }
    }
}
