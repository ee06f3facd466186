namespace Weir.Tests;

/// <summary>The examples of docs/polling.md: what stands between the marks is quoted there, word for word.</summary>
public sealed unsafe class PollingExamples : IDisposable
{
    private readonly TestDescriptors _fds = new();

    public void Dispose() => _fds.Dispose();

    [Fact]
    public void Level()
    {
        int eventFd = _fds.EventFd();
        // example: level
        using Poller poller = new();
        PollerEvent[] events = new PollerEvent[16];
        poller.Add(eventFd, EpollEvents.In, key: 7);

        Write(eventFd);
        Assert.Equal(1, poller.Wait(events, TimeSpan.Zero)); // readable
        Assert.Equal(1, poller.Wait(events, TimeSpan.Zero)); // and still: nobody read it
        Read(eventFd);
        Assert.Equal(0, poller.Wait(events, TimeSpan.Zero)); // no longer
        // end
    }

    [Fact]
    public void Edge()
    {
        int eventFd = _fds.EventFd();
        // example: edge
        using Poller poller = new();
        PollerEvent[] events = new PollerEvent[16];
        poller.Add(eventFd, EpollEvents.In, key: 7, PollerMode.Edge);

        Write(eventFd);
        Assert.Equal(1, poller.Wait(events, TimeSpan.Zero)); // told once
        Assert.Equal(0, poller.Wait(events, TimeSpan.Zero)); // unread, and silent
        Write(eventFd);
        Assert.Equal(1, poller.Wait(events, TimeSpan.Zero)); // a write is an edge, though it was readable all the time
        poller.Modify(eventFd, EpollEvents.In, key: 7, PollerMode.Edge);
        Assert.Equal(1, poller.Wait(events, TimeSpan.Zero)); // and so is a modification
        // end
    }

    [Fact]
    public void Edge_drained()
    {
        (int socket, int peer) = _fds.SocketPair();
        TestDescriptors.Write(peer, 10);
        int total = 0;
        // example: drain
        using Poller poller = new();
        PollerEvent[] events = new PollerEvent[16];
        poller.Add(socket, EpollEvents.In, key: 7, PollerMode.Edge);

        int count = poller.Wait(events);
        for (int i = 0; i < count; i++)
        {
            int read;
            while ((read = Receive(socket, room: 4)) > 0) // until EAGAIN, or the rest lies there unannounced
                total += read;
        }
        // end
        Assert.Equal(10, total);
        Assert.Equal(0, poller.Wait(events, TimeSpan.Zero));
    }

    [Fact]
    public void One_shot()
    {
        int eventFd = _fds.EventFd();
        // example: one-shot
        using Poller poller = new();
        PollerEvent[] events = new PollerEvent[16];
        poller.Add(eventFd, EpollEvents.In, key: 7, PollerMode.OneShot);

        Write(eventFd);
        Assert.Equal(1, poller.Wait(events, TimeSpan.Zero)); // whoever gets this has the descriptor to itself
        Write(eventFd);
        Assert.Equal(0, poller.Wait(events, TimeSpan.Zero)); // nobody else is told, whatever happens
        poller.Modify(eventFd, EpollEvents.In, key: 7, PollerMode.OneShot); // done: hand it back
        Assert.Equal(1, poller.Wait(events, TimeSpan.Zero)); // what came meanwhile is not lost
        // end
    }

    [Fact]
    public void Exclusive()
    {
        int listener = _fds.EventFd();
        // example: exclusive
        using Poller first = new();
        using Poller second = new();
        first.Add(listener, EpollEvents.In, key: 1, PollerMode.Exclusive);
        second.Add(listener, EpollEvents.In, key: 2, PollerMode.Exclusive);
        WaitingThread<PollerEvent[]> winner = first.BlockedWait();
        WaitingThread<PollerEvent[]> sleeper = second.BlockedWait();

        Write(listener);
        Assert.Equal(1, winner.Result()[0].Key); // the first to register, every time
        Assert.False(sleeper.HasEnded); // the other sleeps on
        // end
        sleeper.UntilBlocked();
        second.Wake();
        Assert.Empty(sleeper.Result());
    }

    [Fact]
    public void Waking()
    {
        // example: wake
        using Poller poller = new();
        PollerEvent[] events = new PollerEvent[16];
        poller.AddUserEvent(key: 1);
        poller.SetTimer(key: 2, dueTime: TimeSpan.FromMilliseconds(1));

        new Thread(() => poller.Trigger(key: 1)).Start();
        for (int seen = 0; seen < 2;)
            seen += poller.Wait(events); // each of the two once, together or one by one

        poller.Wake(); // from any thread; before the wait or during it
        Assert.Equal(0, poller.Wait(events)); // no event, and no timeout either
        // end
    }

    [Fact]
    public void The_page_quotes_these_examples_word_for_word()
    {
        string? root = AppContext.BaseDirectory;
        while (root != null && !File.Exists(Path.Combine(root, "Weir.slnx")))
            root = Path.GetDirectoryName(root);
        if (root == null)
            return; // run from somewhere else than the source tree
        string page = File.ReadAllText(Path.Combine(root, "docs", "polling.md"));
        string[] source = File.ReadAllLines(Path.Combine(root, "tests", "Weir.Tests", "Docs", "PollingExamples.cs"));
        int examples = 0;
        for (int i = 0; i < source.Length; i++)
        {
            if (!source[i].StartsWith("        // example: ", StringComparison.Ordinal))
                continue;
            int end = Array.FindIndex(source, i, line => line == "        // end");
            string example = string.Join('\n', source[(i + 1)..end].Select(line => line.Length > 8 ? line[8..] : ""));
            Assert.True(page.Contains($"```csharp\n{example}\n```", StringComparison.Ordinal), $"docs/polling.md does not quote:\n{example}");
            examples++;
        }

        Assert.Equal(6, examples);
    }

    private static void Write(int fd) => TestDescriptors.Signal(fd);

    private static void Read(int fd) => TestDescriptors.Drain(fd);

    private static int Receive(int fd, int room) => TestDescriptors.Read(fd, room);
}
