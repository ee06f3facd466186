namespace Weir.Simulation;

/// <summary>
/// Finds sockets that only messages in their own queues refer to: a socket sent through itself, or two through each other, and then closed.
/// net/unix/garbage.c; it runs when some unix socket goes while descriptors are on their way, and at no other time.
/// </summary>
internal sealed class UnixGarbage
{
    // How many references to each socket are in messages.
    private readonly Dictionary<UnixSocket, int> _inFlight = [];

    /// <summary>Whether any socket is on its way (unix_tot_inflight).</summary>
    internal bool MayExist => _inFlight.Count > 0;

    internal void Sent(List<SimFile> files)
    {
        foreach (SimFile file in files)
        {
            if (file is UnixSocket socket)
                _inFlight[socket] = _inFlight.GetValueOrDefault(socket) + 1;
        }
    }

    internal void Arrived(List<SimFile> files)
    {
        foreach (SimFile file in files)
        {
            if (file is not UnixSocket socket)
                continue;
            int left = _inFlight[socket] - 1;
            if (left > 0)
                _inFlight[socket] = left;
            else
                _inFlight.Remove(socket);
        }
    }

    /// <summary>Empties the queues of those that nobody can reach any more; what they held is dropped, and so they go themselves.</summary>
    internal void Collect()
    {
        // Candidates: no descriptor, only messages refer to them. The number: references not yet found in a candidate's queue.
        var outside = new Dictionary<UnixSocket, int>();
        foreach ((UnixSocket socket, int count) in _inFlight)
        {
            if (socket.References == count)
                outside.Add(socket, count);
        }

        if (outside.Count == 0)
            return;
        UnixSocket[] candidates = [.. outside.Keys];
        foreach (UnixSocket socket in candidates)
            VisitQueued(socket, queued => outside[queued]--, outside);
        foreach (UnixSocket socket in candidates)
        {
            if (outside.TryGetValue(socket, out int left) && left > 0)
                Spare(socket, outside);
        }

        foreach (UnixSocket socket in candidates)
        {
            if (outside.ContainsKey(socket))
                socket.Acquire(); // until all queues are empty
        }

        foreach (UnixSocket socket in candidates)
        {
            if (outside.ContainsKey(socket))
                socket.PurgeReceiveQueue();
        }

        foreach (UnixSocket socket in candidates)
        {
            if (outside.ContainsKey(socket))
                socket.Drop();
        }
    }

    // Somebody may still receive it, and then what is in its queue.
    private static void Spare(UnixSocket socket, Dictionary<UnixSocket, int> outside)
    {
        if (outside.Remove(socket))
            VisitQueued(socket, queued => Spare(queued, outside), outside);
    }

    private static void VisitQueued(UnixSocket socket, Action<UnixSocket> visit, Dictionary<UnixSocket, int> among)
    {
        for (UnixMessage? message = socket.ReceiveQueue.First; message != null; message = message.Next)
        {
            foreach (SimFile file in message.Files ?? [])
            {
                if (file is UnixSocket queued && among.ContainsKey(queued))
                    visit(queued);
            }

            // A connection that waits to be accepted goes with its listener.
            if (socket.IsListening)
                VisitQueued(message.Sender, visit, among);
        }
    }
}
