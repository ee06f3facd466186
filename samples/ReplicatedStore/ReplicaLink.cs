using System.Net;
using System.Threading.Channels;
using Weir;
using Weir.Net;

namespace ReplicatedStore;

/// <summary>
/// A client's connection to one replica: made anew whenever it breaks or the replica falls silent, and then everything that is still unanswered
/// is sent again. Requests overtake no one and block no one.
/// </summary>
internal sealed class ReplicaLink(EndPoint address, StoreOptions options)
{
    private readonly Dictionary<long, (Message Request, Quorum Quorum)> _unanswered = [];
    private Channel<Message>? _outgoing; // of the connection, while there is one

    /// <summary>Has <paramref name="request"/> answered, some time, to <paramref name="quorum"/>; once at most.</summary>
    public void Ask(Message request, Quorum quorum)
    {
        _unanswered.Add(request.Id, (request, quorum));
        _outgoing?.Writer.TryWrite(request);
    }

    /// <summary>Nobody needs the answer to a request any more.</summary>
    public void Forget(long id) => _unanswered.Remove(id);

    /// <summary>Keeps a connection until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        EventLoop loop = EventLoop.Current!;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var limited = new ConnectOptions { Timeout = options.Patience };
                await using Connection connection = await Connection.ConnectAsync(address, limited, cancellationToken);
                await Talk(connection, loop, cancellationToken);
            }
            catch (Exception exception) when (IsLoss(exception))
            {
                // Silence, a reset, nobody there: a replica that is away, as they are at times.
            }

            await loop.Delay(options.Pause, cancellationToken);
        }
    }

    private async Task Talk(Connection connection, EventLoop loop, CancellationToken cancellationToken)
    {
        Channel<Message> outgoing = _outgoing = Channel.CreateUnbounded<Message>();
        foreach ((Message request, _) in _unanswered.Values)
            outgoing.Writer.TryWrite(request);
        int owed = 0; // answers, one for each request sent
        using ITimer silence = loop.TimeProvider.CreateTimer(_ => connection.Abort(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        try
        {
            await TaskGroup.RunAsync(async group =>
            {
                group.Spawn(SendAll, $"sending to {address}");
                while (true)
                {
                    Message answer = await Wire.ReceiveAsync(connection, group.CancellationToken);
                    silence.Change(--owed > 0 ? options.Patience : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                    if (_unanswered.Remove(answer.Id, out (Message Request, Quorum Quorum) request))
                        request.Quorum.Add(answer.Versioned);
                }
            }, cancellationToken);
        }
        finally
        {
            _outgoing = null;
        }

        async Task SendAll(CancellationToken token)
        {
            // ReadAllAsync would come by way of the thread pool: it awaits with ConfigureAwait(false) inside.
            while (true)
            {
                Message request = await outgoing.Reader.ReadAsync(token);
                if (owed++ == 0)
                    silence.Change(options.Patience, Timeout.InfiniteTimeSpan);
                await Wire.SendAsync(connection, request, token);
            }
        }
    }

    private static bool IsLoss(Exception exception)
        => exception is IOException or TimeoutException or ObjectDisposedException
            || (exception is AggregateException several && several.InnerExceptions.All(IsLoss));
}
