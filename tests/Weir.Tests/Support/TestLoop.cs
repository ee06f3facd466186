using System.Runtime.ExceptionServices;

namespace Weir.Tests;

/// <summary>Runs a loop on a thread of its own, and fails the test instead of hanging it when the loop does not end.</summary>
internal static class TestLoop
{
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Runs <paramref name="main"/> on a new loop and waits for the end; throws what Run throws.</summary>
    internal static void Run(Func<Task> main, LoopOptions? options = null)
        => Guard(() =>
        {
            EventLoop.Run(main, options);
            return 0;
        });

    /// <summary>As <see cref="Run(Func{Task}, LoopOptions?)"/>, with a result.</summary>
    internal static T Run<T>(Func<Task<T>> main, LoopOptions? options = null) => Guard(() => EventLoop.Run(main, options));

    /// <summary>Runs <paramref name="body"/> on a thread of its own within the limit; throws what it throws.</summary>
    internal static T Guard<T>(Func<T> body)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = body();
            }
            catch (Exception exception)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }
        })
        { IsBackground = true, Name = "test loop" };
        thread.Start();
        Assert.True(thread.Join(Limit), $"The loop has not ended within {Limit.TotalSeconds} s: it waits for something that never comes.");
        failure?.Throw();
        return result;
    }

    /// <summary>Waits, off the loop, for something that must come.</summary>
    internal static T Within<T>(Task<T> task)
    {
        Assert.True(Task.WhenAny(task, Task.Delay(Limit)).GetAwaiter().GetResult() == task, $"It has not come within {Limit.TotalSeconds} s.");
        return task.GetAwaiter().GetResult();
    }

    /// <summary>As <see cref="Within{T}(Task{T})"/>.</summary>
    internal static void Within(Task task) => Within(task.ContinueWith(
        static ended => { ended.GetAwaiter().GetResult(); return 0; },
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default));
}
