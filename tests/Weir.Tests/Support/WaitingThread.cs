using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Weir.Tests;

/// <summary>
/// A thread that runs one function which is expected to block in epoll_wait, and a way to know that it does: the kernel tells in /proc
/// where a thread sleeps. So a test acts at the right moment without guessing how long that takes.
/// </summary>
internal sealed class WaitingThread<T>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Thread _thread;
    private readonly TaskCompletionSource<int> _threadId = new();
    private T? _result;
    private Exception? _failure;

    internal WaitingThread(Func<T> wait)
    {
        _thread = new Thread(() =>
        {
            _threadId.SetResult(ThreadIdentity.Current);
            try
            {
                _result = wait();
            }
            catch (Exception failure)
            {
                _failure = failure;
            }
        })
        { IsBackground = true };
        _thread.Start();
    }

    /// <summary>Whether the function has returned or thrown.</summary>
    internal bool HasEnded => !_thread.IsAlive;

    /// <summary>Returns once the thread sleeps in epoll_wait(2).</summary>
    internal WaitingThread<T> UntilBlocked()
    {
        string place = $"/proc/self/task/{_threadId.Task.GetAwaiter().GetResult()}/wchan";
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            Assert.True(_thread.IsAlive, "the thread has ended instead of blocking");
            // ep_poll on older kernels, do_epoll_wait where it is inlined.
            if (File.ReadAllText(place) is "ep_poll" or "do_epoll_wait")
                return this;
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, "the thread does not block");
            Thread.Yield();
        }
    }

    /// <summary>What the function returned or threw.</summary>
    internal T Result()
    {
        Assert.True(_thread.Join(Patience), "the thread is blocked still");
        if (_failure != null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
        return _result!;
    }
}

/// <summary>libc's name for the calling thread.</summary>
internal static class ThreadIdentity
{
    internal static int Current => gettid();

#pragma warning disable IDE1006 // libc's name
    [DllImport("libc")]
    private static extern int gettid();
#pragma warning restore IDE1006
}
