using System.Text.Json;

namespace Weir.Simulation.Tests;

public class SimTraceTests
{
    [Fact]
    public void Text_shows_calls_with_the_kind_of_their_files_and_the_names_of_errors()
    {
        string text = Trace(Handshake).ToString();
        Assert.Matches(@"(?m)^\S+  main +eventfd\(\) = \d+ eventfd$", text);
        Assert.Matches(@"(?m)^\S+  reader +read\(\d+ eventfd\) \.\.\.$", text);
        Assert.Matches(@"(?m)^\S+  reader +\.\.\. read = 8$", text);
        Assert.Matches(@"(?m)^\S+  writer +wakes reader$", text);
        Assert.Matches(@"(?m)^\S+  main +epoll_ctl\(ADD, \d+ eventfd\) = 0$", text);
        Assert.Matches(@"(?m)^\S+  writer +read\(\d+ eventfd\) = -EAGAIN$", text);
        Assert.Matches(@"(?m)^\S+  \w+ +fd \d+ eventfd is ready: IN\|OUT$", text);
    }

    [Fact]
    public void A_trace_is_that_of_the_last_run()
    {
        var trace = new SimTrace();
        var options = new SimOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, Trace = trace };
        Sim.Run(1, Handshake, options);
        string once = trace.ToString();
        Sim.Run(1, Handshake, options);
        Assert.Equal(once, trace.ToString());
        Assert.True(trace.Count > 20);
    }

    [Fact]
    public void Watching_changes_nothing()
    {
        string? traced = Token(new SimTrace());
        Assert.Equal(Token(null), traced);

        static string? Token(SimTrace? trace) => Assert.Throws<SimulationException>(() => Sim.Run(
            5,
            sim =>
            {
                Handshake(sim);
                sim.Thread("broken", () => throw new InvalidOperationException());
                return Task.CompletedTask;
            },
            new SimOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, Trace = trace })).ReplayToken;
    }

    [Theory]
    [InlineData(SimMode.Threads)]
    [InlineData(SimMode.Stepping)]
    public void Chrome_traces_have_a_track_for_each_thread_and_slices_in_virtual_time(SimMode mode)
    {
        JsonElement[] events = Chrome(Trace(
            async sim =>
            {
                _ = Handshake(sim);
                await EventLoop.Current!.Delay(TimeSpan.FromMilliseconds(5));
            },
            mode));
        Assert.Equal(
            ["main", "reader", "writer"],
            events.Where(one => Text(one, "name") == "thread_name").Select(one => one.GetProperty("args").GetProperty("name").GetString()).Order());
        JsonElement waiting = Assert.Single(events, one => Text(one, "name").StartsWith("epoll_", StringComparison.Ordinal) && Text(one, "ph") == "X" && one.GetProperty("dur").GetDouble() > 1000);
        Assert.InRange(waiting.GetProperty("dur").GetDouble(), 4990, 5000);
        Assert.Contains(events, one => Text(one, "ph") == "X" && Text(one, "name") == "read" && one.GetProperty("args").GetProperty("result").GetString() == "-EAGAIN");
        Assert.Contains(events, one => Text(one, "ph") == "i" && Text(one, "name") == "wakes reader");
        Assert.Contains(events, one => Text(one, "ph") == "C" && Text(one, "name").EndsWith("eventfd", StringComparison.Ordinal) && one.GetProperty("args").GetProperty("IN").GetInt32() == 1);
    }

    [Fact]
    public void Slices_of_one_thread_do_not_overlap()
    {
        double end = 0;
        foreach (JsonElement slice in Chrome(Trace(Handshake)).Where(one => Text(one, "ph") == "X" && one.GetProperty("tid").GetInt32() == 1))
        {
            Assert.True(slice.GetProperty("ts").GetDouble() >= end);
            end = slice.GetProperty("ts").GetDouble() + slice.GetProperty("dur").GetDouble();
        }

        Assert.True(end > 0);
    }

    [Fact]
    public void Explore_traces_the_run_that_it_reports()
    {
        var options = new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads, Trace = new SimTrace() };
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(RacyPrograms.CheckThenAct, options));
        string explored = options.Trace.ToString();
        Assert.Contains("taker 1", explored);
        Assert.Throws<SimulationException>(() => Sim.Replay(finding.ReplayToken!, RacyPrograms.CheckThenAct, options));
        Assert.Equal(explored, options.Trace.ToString());
    }

    [Fact]
    public void A_trace_that_was_never_used_is_empty()
    {
        var trace = new SimTrace();
        Assert.Equal("", trace.ToString());
        Assert.Empty(Chrome(trace));
    }

    private static Task Handshake(Sim sim)
    {
        int fd = sim.Kernel.EventFd(0, EventFdFlags.CloseOnExec);
        int tries = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
        sim.Thread("reader", () => Assert.Equal(8, RacyPrograms.Read(sim.Kernel, fd, out _)));
        sim.Thread("writer", () =>
        {
            Assert.Equal(-(int)Errno.EAGAIN, RacyPrograms.Read(sim.Kernel, tries, out _));
            RacyPrograms.Write(sim.Kernel, fd);
        });
        return Task.CompletedTask;
    }

    private static SimTrace Trace(Func<Sim, Task> program, SimMode mode = SimMode.Threads)
    {
        var trace = new SimTrace();
        Sim.Run(1, program, new SimOptions { Detect = RacyPrograms.NoLeaks, Mode = mode, Trace = trace, Strategy = SimStrategy.RoundRobin });
        return trace;
    }

    private static JsonElement[] Chrome(SimTrace trace)
    {
        using var stream = new MemoryStream();
        trace.WriteChromeTrace(stream);
        return [.. JsonDocument.Parse(stream.ToArray()).RootElement.GetProperty("traceEvents").EnumerateArray()];
    }

    private static string Text(JsonElement one, string property) => one.GetProperty(property).GetString()!;
}
