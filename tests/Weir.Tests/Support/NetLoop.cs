using System.Runtime.ExceptionServices;

namespace Weir.Tests;

/// <summary>Runs a loop on a thread of its own, and fails instead of hanging.</summary>
internal static class NetLoop
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Runs <paramref name="main"/> on a loop; returns when the loop has ended, with the exception it ended with.</summary>
    internal static void Run(Func<Task> main, LoopOptions options)
    {
        Exception? failure = null;
        EventLoop? loop = null;
        string at = "";
        var thread = new Thread(() =>
        {
            try
            {
                EventLoop.Run(
                    () =>
                    {
                        loop = EventLoop.Current;
                        return main();
                    },
                    options);
            }
            catch (Exception exception)
            {
                failure = exception;
            }
        })
        { IsBackground = true, Name = options.Name };
        thread.Start();
        if (!thread.Join(Patience))
        {
            at = loop?.Statistics.ToString() ?? "before it began";
            Assert.Fail($"the loop hangs: {at}");
        }

        if (failure != null)
            ExceptionDispatchInfo.Throw(failure);
    }
}
