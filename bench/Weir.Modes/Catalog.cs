namespace Weir.Bench.Modes;

/// <summary>All groups; the first case of each is what the others are compared with.</summary>
internal static class Catalog
{
    internal static ModeCase[] Make()
    {
        List<ModeCase> cases = [];
        foreach ((Transport transport, string name) in new[] { (Transport.Unix, "socketpair"), (Transport.Tcp, "TCP loopback") })
        {
            foreach (bool twoThreads in (bool[])[false, true])
            {
                string group = $"ping-pong, {name}, {(twoThreads ? "two threads" : "one thread")}";
                foreach (Style style in (Style[])[Style.Level, Style.EdgeUntilAgain, Style.EdgeShortRead, Style.OneShot, Style.LevelWithoutPoller])
                    cases.Add(new PingPongCase(group, transport, style, twoThreads));
            }
        }

        foreach (int connections in (int[])[16, 256])
        {
            string group = $"{connections} connections ready at once";
            foreach (Style style in (Style[])[Style.Level, Style.EdgeUntilAgain, Style.EdgeShortRead, Style.OneShot])
                cases.Add(new ReadyBatchCase(group, connections, style));
        }

        foreach (int unread in (int[])[16, 256])
        {
            string group = $"one served beside {unread} ready and unread";
            cases.Add(new UnreadCase(group, unread, PollerMode.Level, "LT: told of all with each wait"));
            cases.Add(new UnreadCase(group, unread, PollerMode.Edge, "ET: told once"));
            cases.Add(new UnreadCase(group, unread, PollerMode.OneShot, "ONESHOT: told once"));
            cases.Add(new UnreadCase(group, 0, PollerMode.Level, "none unread"));
        }

        foreach (bool twoThreads in (bool[])[false, true])
        {
            string group = $"wake-up, {(twoThreads ? "two threads" : "one thread")}";
            foreach (WakeStyle style in Enum.GetValues<WakeStyle>())
                cases.Add(new WakeCase(group, style, twoThreads));
        }

        return [.. cases];
    }
}
