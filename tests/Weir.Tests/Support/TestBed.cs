namespace Weir.Tests;

/// <summary>Where the loops of a test run: on which kernel, and on what. This one: on the real kernel, each on a thread of its own.</summary>
public class TestBed
{
    /// <summary>The kernel; the same one for the whole test.</summary>
    public virtual Kernel Kernel => Kernel.Linux;

    /// <summary>How the loops wait.</summary>
    public virtual DriverKind Driver => DriverKind.Epoll;

    /// <summary>Runs a loop to its end and fails instead of hanging; throws what the loop ended with.</summary>
    public virtual void Run(Func<Task> main, LoopOptions options) => TestLoop.Run(main, options);

    /// <summary>As <see cref="Run(Func{Task}, LoopOptions)"/>, with a result.</summary>
    public virtual T Run<T>(Func<Task<T>> main, LoopOptions options)
    {
        T result = default!;
        Run(async () => { result = await main(); }, options);
        return result;
    }
}
