namespace Weir.Tests;

/// <summary>What code allocates on its thread.</summary>
public static class Allocations
{
    /// <summary>
    /// The least that one of several runs allocates: in the others the compiler, which works in the background, may have exchanged methods, or a
    /// collection have moved what the thread had been given to allocate from.
    /// </summary>
    public static long Least(Action run, int runs = 10)
    {
        long least = long.MaxValue;
        for (int i = 0; i < runs && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
