namespace Weir;

internal static class DescriptorPair
{
    /// <summary>
    /// Makes something of both descriptors of a pair, as <paramref name="take"/> does of one (true: of the first), which closes it if it cannot. If
    /// one fails, nothing is left open.
    /// </summary>
    internal static (T First, T Second) Take<T>(EventLoop loop, ReadOnlySpan<int> fds, Func<EventLoop, int, bool, T> take)
        where T : IDisposable
    {
        T first;
        try
        {
            first = take(loop, fds[0], true);
        }
        catch
        {
            loop.Kernel.Close(fds[1]);
            throw;
        }

        try
        {
            return (first, take(loop, fds[1], false));
        }
        catch
        {
            first.Dispose();
            throw;
        }
    }
}
