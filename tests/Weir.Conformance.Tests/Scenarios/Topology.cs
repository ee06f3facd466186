namespace Weir.Conformance.Scenarios;

/// <summary>
/// Who waits where: sets in sets, what they watch and how, and the threads that wait in them. Written as in "L[E[s0]] w0 p1": a level-triggered
/// registration of a set that registers a source edge-triggered; one thread waits in set 0 (the outermost; sets count in the order in
/// which they are written), another polls set 1.
/// </summary>
internal sealed class Topology
{
    private readonly List<List<string>> _children = [];
    private readonly List<EpollEvents> _modes = [];
    private readonly List<(bool Polls, int Set)> _waiters = [];
    private readonly string _text;
    private int _at;

    internal Topology(string text)
    {
        _text = text;
        ParseSet();
        foreach (string waiter in text[_at..].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            _waiters.Add((waiter[0] == 'p', int.Parse(waiter[1..])));
    }

    private string ParseSet()
    {
        int index = _modes.Count;
        _modes.Add(_text[_at] == 'E' ? EdgeTriggered : 0);
        _children.Add([]);
        for (_at += 2; _text[_at] != ']';)
        {
            if (_text[_at] == ' ')
            {
                _at++;
            }
            else if (_text[_at] == 's')
            {
                _children[index].Add(_text.Substring(_at, 2));
                _at += 2;
            }
            else
            {
                _children[index].Add(ParseSet());
            }
        }

        _at++;
        return $"e{index}";
    }

    /// <summary>
    /// Starts the waiters one after another, makes every source ready, and says when all is quiet what each waiter got: the first thing that
    /// was ready in its set ("IN" for one who polls), or "-" if it is blocked still.
    /// </summary>
    internal string Run(Machine m)
    {
        Fd[] sets = [.. _modes.Select(_ => m.Epoll())];
        Dictionary<string, Fd> sources = [];
        Fd stop = m.EventFd();
        Dictionary<ulong, string> names = new() { [stop.Id] = "stop" };
        // From the inside out, as a program would build it.
        for (int set = sets.Length - 1; set >= 0; set--)
        {
            m.Add(sets[set], stop, In).Is(0);
            foreach (string child in _children[set])
            {
                Fd fd = child[0] == 'e' ? sets[int.Parse(child[1..])] : sources[child] = m.EventFd();
                names[fd.Id] = child;
                m.Add(sets[set], fd, In | _modes[set]).Is(0);
            }
        }

        string[] got = new string[_waiters.Count];
        List<MachineThread> threads = [];
        for (int i = 0; i < _waiters.Count; i++)
        {
            int waiter = i;
            (bool polls, int set) = _waiters[i];
            threads.Add(m.StartBlocked($"waiter {i}", () =>
            {
                string what = polls
                    ? Masks.Show(m.Poll(sets[set], In, Machine.Forever).Events)
                    : names[m.Wait(sets[set], Machine.Forever, max: 1).Events[0].Data];
                Volatile.Write(ref got[waiter], what); // read by the main thread when all is quiet
            }));
        }

        foreach (Fd source in sources.OrderBy(pair => pair.Key).Select(pair => pair.Value))
            m.WriteCount(source).Is(8);
        m.UntilQuiet();
        string outcome = string.Join(' ', threads.Select((thread, i) => thread.HasEnded ? Volatile.Read(ref got[i]) : "-"));
        m.WriteCount(stop); // level-triggered everywhere: lets all go
        foreach (MachineThread thread in threads)
            m.Join(thread);
        return outcome;
    }
}
