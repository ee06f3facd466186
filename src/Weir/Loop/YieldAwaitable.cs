using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>What <see cref="EventLoop.Yield"/> returns: awaiting it lets the other entries and the kernel's events go first.</summary>
public readonly struct YieldAwaitable
{
    private readonly EventLoop _loop;

    internal YieldAwaitable(EventLoop loop) => _loop = loop;

    /// <summary>For the compiler.</summary>
    public Awaiter GetAwaiter() => new(_loop);

    /// <summary>For the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion
    {
        private readonly EventLoop _loop;

        internal Awaiter(EventLoop loop) => _loop = loop;

        /// <summary>Always false: the point is to let others go first.</summary>
        public bool IsCompleted => false;

        /// <summary>Nothing to return.</summary>
        public void GetResult()
        {
        }

        /// <summary>For the compiler.</summary>
        public void OnCompleted(Action continuation)
        {
            if (!_loop.Post(continuation))
                GoOnElsewhere(continuation);
        }

        /// <summary>For the compiler.</summary>
        public void UnsafeOnCompleted(Action continuation)
        {
            if (!_loop.Queue.Post(new RunEntry(continuation)))
                GoOnElsewhere(continuation);
        }

        // The loop has stopped, and its context sends what comes now to the thread pool.
        private void GoOnElsewhere(Action continuation)
            => _loop.SynchronizationContext.Post(static continuation => ((Action)continuation!)(), continuation);
    }
}
