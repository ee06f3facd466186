using System.Globalization;

namespace Weir.Bench.Soak;

/// <summary>What this process holds of the system.</summary>
internal sealed record ProcessState(SortedDictionary<string, int> Descriptors, long ManagedBytes, long ResidentBytes, int Mappings)
{
    private const double Mebibyte = 1 << 20;

    /// <summary>Counts after a full collection, so that what only finalizers kept alive is gone.</summary>
    public static ProcessState Take()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        string resident = File.ReadLines("/proc/self/smaps_rollup").First(line => line.StartsWith("Rss:", StringComparison.Ordinal));
        return new ProcessState(
            CountDescriptors(),
            GC.GetTotalMemory(forceFullCollection: false),
            long.Parse(resident.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024,
            File.ReadLines("/proc/self/maps").Count());
    }

    /// <summary>Open descriptors by kind. Not the files: the runtime keeps each assembly open that it has loaded.</summary>
    public static SortedDictionary<string, int> CountDescriptors()
    {
        var kinds = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (string link in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            string? target = null;
            try
            {
                target = new FileInfo(link).LinkTarget;
            }
            catch (IOException)
            {
                // The descriptor the folder itself was read with.
            }

            if (target == null || target.StartsWith('/'))
                continue;
            // socket:[123], pipe:[123], anon_inode:[eventpoll]
            string kind = target.StartsWith("anon_inode:", StringComparison.Ordinal) ? target["anon_inode:".Length..].Trim('[', ']') : target.Split(':')[0];
            kinds[kind] = kinds.GetValueOrDefault(kind) + 1;
        }

        return kinds;
    }

    public static string Show(SortedDictionary<string, int> descriptors) => string.Join(' ', descriptors.Select(pair => $"{pair.Key} {pair.Value}"));

    public override string ToString()
        => $"{ManagedBytes / Mebibyte:0.0} MiB managed, {ResidentBytes / Mebibyte:0} MiB resident, {Mappings} mappings, {Show(Descriptors)}";
}
