namespace Weir.Simulation.Tests;

/// <summary>Runs blocking code on several threads, on one kernel or another.</summary>
internal static class Threads
{
    /// <param name="where">0: the kernel of this machine; 1: the emulated one, many schedules; 2: the emulated one, ordinary threads.</param>
    /// <param name="make">Opens what is needed and says what the threads do.</param>
    internal static void Run(int where, Func<Kernel, Action[]> make)
    {
        switch (where)
        {
            case 0:
                Run(make(Kernel.Linux));
                break;
            case 1:
                for (ulong seed = 1; seed <= 5; seed++)
                    Simulate(seed, make);
                break;
            default:
                Run(make(SimKernel.Live()));
                break;
        }
    }

    /// <summary>Nobody watches what these programs leave open or unread: they are about the calls.</summary>
    internal static SimOptions Options(SimMode mode) => new() { Mode = mode, Detect = SimDetectors.None };

    internal static void Simulate(ulong seed, Func<SimKernel, Action[]> make)
        => Sim.Run(
            seed,
            sim =>
            {
                Action[] bodies = make(sim.Kernel);
                for (int i = 0; i < bodies.Length; i++)
                    sim.Thread($"thread {i + 1}", bodies[i]);
                return Task.CompletedTask;
            },
            Threads.Options(SimMode.Threads));

    private static void Run(Action[] bodies)
    {
        Exception? failure = null;
        Thread[] threads = [.. bodies.Select(body => new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception exception)
            {
                failure = exception;
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            Assert.True(thread.Join(TimeSpan.FromSeconds(60)), "A thread does not end.");
        Assert.Null(failure);
    }
}
