namespace Weir.Simulation;

internal sealed partial class EpollFile
{
    // EP_MAX_NESTS, and how many wake-up paths of each length may lead from a file to instances that nothing watches.
    private const int MostNests = 4;
    private static readonly int[] PathLimits = [1000, 500, 100, 50, 10];

    /// <summary>Whether adding <paramref name="inner"/> here makes a circle or a chain that is too long: ep_loop_check.</summary>
    internal bool WouldNestTooDeep(EpollFile inner)
    {
        int below = inner.DepthBelow(this, 0, []);
        return below > MostNests || below + 1 + DepthAbove([]) > MostNests;
    }

    private int DepthBelow(EpollFile insertingInto, int depth, Dictionary<EpollFile, int> seen)
    {
        if (seen.TryGetValue(this, out int known))
            return known;
        seen[this] = 0;
        int result = 0;
        foreach (EpollItem item in _items.Values)
        {
            if (item.File is not EpollFile inner)
                continue;
            result = inner == insertingInto || depth > MostNests
                ? MostNests + 1
                : Math.Max(result, inner.DepthBelow(insertingInto, depth + 1, seen) + 1);
            if (result > MostNests)
                break;
        }

        return seen[this] = result;
    }

    private int DepthAbove(Dictionary<EpollFile, int> seen)
    {
        if (seen.TryGetValue(this, out int known))
            return known;
        int result = 0;
        foreach (EpollItem item in Watchers)
            result = Math.Max(result, item.Epoll.DepthAbove(seen) + 1);
        return seen[this] = result;
    }

    /// <summary>Whether a wake-up of the files that <paramref name="added"/> brings would run along too many paths: reverse_path_check.</summary>
    private static bool TooManyPaths(SimFile added)
    {
        var files = new HashSet<SimFile>();
        Collect(added, files);
        return files.Any(file => !CountPaths(file, 0, new int[PathLimits.Length]));

        static void Collect(SimFile file, HashSet<SimFile> files)
        {
            if (file is EpollFile epoll)
            {
                foreach (EpollItem item in epoll._items.Values)
                    Collect(item.File, files);
            }
            else
            {
                files.Add(file);
            }
        }

        static bool CountPaths(SimFile file, int depth, int[] counts)
        {
            if (depth > MostNests)
                return false;
            foreach (EpollItem item in file.Watchers)
            {
                bool fine = item.Epoll.Watchers.Count == 0
                    ? depth == 0 || ++counts[depth] <= PathLimits[depth]
                    : CountPaths(item.Epoll, depth + 1, counts);
                if (!fine)
                    return false;
            }

            return true;
        }
    }
}
