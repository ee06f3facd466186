namespace Weir.Simulation;

/// <summary>A loop in a simulation.</summary>
public sealed class SimLoop
{
    private readonly Sim _sim;
    private readonly Func<Task> _main;
    private readonly LoopOptions _options;
    private bool _stopRequested;

    internal SimLoop(Sim sim, string name, Func<Task> main, SimKernel kernel, Action<LoopOptions>? configure)
    {
        _sim = sim;
        _main = main;
        Name = name;
        Kernel = kernel;
        _options = new LoopOptions { Name = name, Kernel = kernel, Driver = kernel.World.Options.Driver };
        configure?.Invoke(_options);
    }

    /// <summary>With options that are all the caller's, who may have put a kernel of his own in front of the simulated one.</summary>
    internal SimLoop(Sim sim, SimKernel kernel, Func<Task> main, LoopOptions options)
    {
        _sim = sim;
        _main = main;
        Name = options.Name;
        Kernel = kernel;
        _options = options;
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>The process it runs in.</summary>
    public SimKernel Kernel { get; }

    /// <summary>The loop itself, once it has begun to run.</summary>
    public EventLoop? EventLoop { get; private set; }

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>
    /// What it ended with, null if nothing went wrong. Reading it takes charge of the failure, which otherwise is the simulation's.
    /// </summary>
    public Exception? Exception
    {
        get
        {
            IsObserved = true;
            return Failure;
        }
    }

    internal Exception? Failure { get; private set; }

    internal bool IsObserved { get; private set; }

    internal Action? Ended { get; set; }

    /// <summary>Asks it to end, as <see cref="EventLoop.Stop"/> does.</summary>
    public void Stop()
    {
        _stopRequested = true;
        if (!HasEnded && !Kernel.HasExited)
            EventLoop?.Stop();
    }

    private Task Main()
    {
        if (Kernel.HasExited)
            throw new ProcessEndedException(); // before it began
        EventLoop = EventLoop.Current!;
        if (_stopRequested)
            EventLoop.Stop();
        return _main();
    }

    /// <summary>On a thread of its own.</summary>
    internal void RunToEnd()
    {
        if (SimThread.Current is { } thread)
            thread.IsLoop = true;
        try
        {
            EventLoop.Run(Main, _options);
        }
        catch (Exception exception) when (Kernel.HasExited && exception is not SimulationException)
        {
            // It has ended with its process.
        }
        catch (Exception exception) when (exception is not (SimulationException or SimulationEndedException))
        {
            Failure = exception;
        }

        HasEnded = true;
        Ended?.Invoke();
    }

    /// <summary>A turn at a time, on the scheduler's thread.</summary>
    internal void StartStepped(BatonScheduler scheduler)
        => _ = new SteppedLoop(
            scheduler,
            Kernel,
            Name,
            () => new LoopStepper(Main, _options),
            failure =>
            {
                Failure = failure;
                HasEnded = true;
                Ended?.Invoke();
            });
}
