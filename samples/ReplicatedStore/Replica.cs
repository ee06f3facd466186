using System.Net;
using Weir;
using Weir.Net;

namespace ReplicatedStore;

/// <summary>
/// One of the servers that hold all keys. It knows nothing of the others: it answers queries, and holds whatever is newer than what it has.
/// That it can be told the same again, late, or in any order, is all that clients need.
/// </summary>
/// <param name="address">Where it listens.</param>
/// <param name="journalPath">Where it keeps what it holds; null: in memory only, so that a crash makes it forget what it has acknowledged.</param>
public sealed class Replica(EndPoint address, string? journalPath)
{
    private readonly Dictionary<string, Versioned> _held = [];
    private Journal? _journal;

    /// <summary>Serves on the current loop until that is stopped.</summary>
    /// <exception cref="KernelException">It cannot listen, or cannot read its journal.</exception>
    public async Task RunAsync()
    {
        EventLoop loop = EventLoop.Current!;
        using Journal? journal = _journal = journalPath == null ? null : Journal.Open(loop.Kernel, journalPath, Hold);
        using Listener listener = Listener.Bind(address);
        await listener.AcceptAllAsync(connection => Serve(connection, loop.Stopping), loop.Stopping);
    }

    private async Task Serve(Connection connection, CancellationToken stopping)
    {
        while (true)
        {
            Message request = await Wire.ReceiveAsync(connection, stopping);
            Versioned held = _held.GetValueOrDefault(request.Key);
            if (request.Kind == MessageKind.Store && request.Versioned.IsNewerThan(held))
            {
                _journal?.Append(request); // first: what is acknowledged must outlive a crash
                Hold(request);
                held = request.Versioned;
            }

            await Wire.SendAsync(connection, new Message(MessageKind.Answer, request.Id, request.Key, held), stopping);
        }
    }

    private void Hold(Message record)
    {
        if (record.Versioned.IsNewerThan(_held.GetValueOrDefault(record.Key)))
            _held[record.Key] = record.Versioned;
    }
}
