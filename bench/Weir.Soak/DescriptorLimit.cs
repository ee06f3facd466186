using System.Runtime.InteropServices;

namespace Weir.Bench.Soak;

/// <summary>Lowers this process's soft limit of descriptors (RLIMIT_NOFILE; setrlimit(2)) until disposed.</summary>
internal sealed unsafe partial class DescriptorLimit : IDisposable
{
    private const int NumberOfFiles = 7;

    private readonly Limit _before;

    private DescriptorLimit(Limit before) => _before = before;

    /// <summary>Leaves room for <paramref name="more"/> descriptors beyond the highest one in use.</summary>
    public static DescriptorLimit LeaveRoomFor(int more)
    {
        // The lowest free numbers are given out first: with all below the limit taken, nothing can be opened.
        long highest = Directory.GetFileSystemEntries("/proc/self/fd").Max(path => long.Parse(Path.GetFileName(path)));
        Limit before;
        Check(getrlimit(NumberOfFiles, &before));
        Limit lowered = before with { Soft = highest + 1 + more };
        Check(setrlimit(NumberOfFiles, &lowered));
        return new DescriptorLimit(before);
    }

    public void Dispose()
    {
        Limit before = _before;
        Check(setrlimit(NumberOfFiles, &before));
    }

    private static void Check(int result)
    {
        if (result != 0)
            throw new InvalidOperationException($"getrlimit or setrlimit: errno {Marshal.GetLastPInvokeError()}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getrlimit(int resource, Limit* limit);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setrlimit(int resource, Limit* limit);

    private record struct Limit(long Soft, long Hard);
}
