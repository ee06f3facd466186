namespace Weir.Tool.Proxy;

/// <summary>How many connections the process's limit of descriptors has room for.</summary>
internal static class DescriptorLimit
{
    /// <summary>Pipes for splicing are borrowed for moments: so many serve any number of connections.</summary>
    internal const int MostPipes = 64;

    // Listeners, the loop's own, the console, the runtime's files.
    private const int Reserve = 64;

    /// <summary>Raises the soft limit to the hard one, and returns the limit in force.</summary>
    /// <exception cref="KernelException">The kernel does not even tell the limit.</exception>
    internal static long Raise(Kernel kernel)
    {
        int result = kernel.GetResourceLimit(ResourceLimit.OpenFiles, out ulong soft, out ulong hard);
        if (result < 0)
            throw new KernelException("getrlimit(RLIMIT_NOFILE)", -1, (Errno)(-result));
        // Refused when the hard limit is above fs.nr_open, as "unlimited" is: then the soft one stays.
        if (soft < hard && kernel.SetResourceLimit(ResourceLimit.OpenFiles, hard, hard) == 0)
            soft = hard;
        return (long)Math.Min(soft, int.MaxValue);
    }

    /// <summary>Pipes that a limit of <paramref name="descriptors"/> has room for beside connections.</summary>
    internal static int Pipes(long descriptors) => (int)Math.Min(MostPipes, descriptors / 32);

    /// <summary>Connections, of so many descriptors <paramref name="each"/>, that a limit of <paramref name="descriptors"/> has room for.</summary>
    internal static int Connections(long descriptors, int each) => (int)Math.Max(0, (descriptors - Reserve - 2 * Pipes(descriptors)) / each);
}
