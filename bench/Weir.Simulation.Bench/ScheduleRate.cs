using System.Diagnostics;
using Weir.Bench.Parts;
using Weir.Simulation;

namespace Weir.Bench.Simulation;

/// <summary>
/// Schedules a second with real threads that hand the turn to one another: of three threads with three calls each, and of the protocol by which
/// a loop falls asleep and is woken.
/// </summary>
internal static class ScheduleRate
{
    internal const string WakesCommand = "wakes";

    private const int Threads = 3;
    private const int Calls = 3;

    // One more and there are more schedules than a few seconds hold.
    private const int Preemptions = 2;

    internal static void Run(bool isQuick)
    {
        Report.Say();
        Report.Say("schedules of real threads that hand on the turn");
        Print($"{Threads} threads, {Calls} calls each", Sim.Explore(ThreeThreads, Options(isQuick, preemptions: Threads * Calls)));

        // Its atomics are the runtime's own, and whether those can be preempted is decided once in a process.
        using Process process = Process.Start(Environment.ProcessPath!, [typeof(ScheduleRate).Assembly.Location, WakesCommand, .. isQuick ? ["--quick"] : Array.Empty<string>()]);
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException("The schedules of the sleep/wake protocol failed.");
    }

    internal static int PrintWakes(bool isQuick)
    {
        AppContext.SetSwitch("Weir.Marks", true);
        Print("a loop asleep, two threads that post", Sim.Explore(TwoPosts, Options(isQuick, Preemptions)));
        return 0;
    }

    private static ExploreOptions Options(bool isQuick, int preemptions) => new()
    {
        Mode = SimMode.Threads,
        PreemptionBound = preemptions,
        FewestFirst = false,
        Runs = long.MaxValue,
        TimeLimit = TimeSpan.FromSeconds(isQuick ? 0.5 : 5),
        Progress = _ => { },
    };

    private static void Print(string name, ExploreResult result)
        => Report.Say($"  {name}: {result.Schedules / result.Elapsed.TotalSeconds:N0} schedules a second; {result}");

    private static unsafe Task ThreeThreads(Sim sim)
    {
        int counter = sim.Kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
        int left = Threads;
        for (int i = 0; i < Threads; i++)
        {
            sim.Thread($"writer {i}", () =>
            {
                ulong value = 1;
                for (int call = 0; call < Calls; call++)
                    _ = sim.Kernel.Write(counter, &value, sizeof(ulong));
                if (--left == 0)
                    sim.Kernel.Close(counter);
            });
        }

        return Task.CompletedTask;
    }

    private static async Task TwoPosts(Sim sim)
    {
        EventLoop loop = EventLoop.Current!;
        int ran = 0;
        var told = new TaskCompletionSource();
        Action post = () =>
        {
            if (++ran == 2)
                told.SetResult();
        };
        // It has slept before, and sleeps again with a far deadline.
        using var timer = new LoopTimer();
        timer.Set(TimeSpan.FromMilliseconds(1));
        await timer.WaitAsync();
        timer.Set(TimeSpan.FromHours(1));
        sim.Thread("first", () => loop.Post(post));
        sim.Thread("second", () => loop.Post(post));
        await told.Task;
    }
}
