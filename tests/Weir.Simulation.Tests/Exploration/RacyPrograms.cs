namespace Weir.Simulation.Tests;

/// <summary>Small programs with known bugs and known numbers of schedules.</summary>
internal static class RacyPrograms
{
    /// <summary>They leave their descriptors to the end of the process.</summary>
    internal const SimDetectors NoLeaks = SimDetectors.Default & ~SimDetectors.Leaks;

    internal sealed class LostUpdateException() : Exception("an update was lost");

    /// <summary>
    /// Two threads look whether a counter holds a token and take it if so. Between looking and taking the other may do the same: then one of them
    /// takes what is not there.
    /// </summary>
    internal static Task CheckThenAct(Sim sim)
    {
        int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
        bool free = true;
        int inside = 0;
        for (int i = 0; i < 2; i++)
        {
            sim.Thread($"taker {i}", () =>
            {
                if (!free)
                    return;
                Write(sim.Kernel, fd); // where the other may come in between
                free = false;
                if (++inside == 2)
                    throw new LostUpdateException();
            });
        }

        return Task.CompletedTask;
    }

    /// <summary>Nothing shared but the counter, which the kernel guards.</summary>
    internal static Task Harmless(Sim sim)
    {
        int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
        for (int i = 0; i < 2; i++)
            sim.Thread($"writer {i}", () => Write(sim.Kernel, fd));
        return Task.CompletedTask;
    }

    /// <summary>Threads alone, without a loop: each makes so many calls. Sets a run up, before any of them runs.</summary>
    internal static Action<Sim> Callers(params int[] calls) => sim =>
    {
        int fd = sim.Kernel.EventFd(0, EventFdFlags.NonBlock);
        for (int i = 0; i < calls.Length; i++)
        {
            int count = calls[i];
            sim.Thread($"caller {i}", () =>
            {
                for (int call = 0; call < count; call++)
                    Write(sim.Kernel, fd);
            });
        }
    };

    internal static unsafe void Write(Kernel kernel, int fd, ulong value = 1) => Assert.Equal(8, kernel.Write(fd, &value, 8));

    internal static unsafe nint Read(Kernel kernel, int fd, out ulong value)
    {
        ulong read = 0;
        nint result = kernel.Read(fd, &read, 8);
        value = read;
        return result;
    }
}
