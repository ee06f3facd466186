using System.Runtime.ExceptionServices;

namespace Weir.Simulation;

/// <summary>
/// A simulation: a program on emulated machines under virtual time, every schedule determined by a seed. <see cref="Run(ulong, Func{Sim, Task}, SimOptions?)"/> runs it
/// once, <see cref="Explore"/> many times, <see cref="Replay"/> as it was run before.
/// </summary>
/// <remarks>Members of an instance may be called by code that the simulation runs, and by no other.</remarks>
public sealed partial class Sim
{
    private readonly World _world;
    private readonly SimOptions _options;
    private readonly List<Action> _endChecks = [];
    private readonly List<SimLoop> _loops = [];
    private readonly List<Thread> _liveThreads = [];

    internal Sim(ulong seed, Choices choices, SimOptions options)
    {
        Seed = seed;
        _options = options;
        _world = new World(choices, options);
        Kernel = new SimKernel(new Machine(_world, "host"), "main");
        Random = new SimRandom(seed);
        AddOwnHost();
    }

    /// <summary>The seed that determines the run.</summary>
    public ulong Seed { get; }

    /// <summary>The kernel of the process that the program runs in.</summary>
    public SimKernel Kernel { get; }

    /// <summary>Virtual time since the beginning.</summary>
    public TimeSpan Elapsed => TimeSpan.FromTicks((_world.Now - SimClock.Start) / 100);

    /// <summary>Random numbers for the program itself, determined by the seed and by nothing else.</summary>
    public Random Random { get; }

    internal World World => _world;

    /// <summary>
    /// Lets time pass while nobody runs, as if the calling thread had been kept busy: what was due meanwhile comes late, in its order. To wait is
    /// not what this is for: time jumps to the next deadline by itself when everybody waits.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Time does not go backwards.</exception>
    /// <exception cref="InvalidOperationException">In live mode time is the machine's own.</exception>
    public void Skip(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        if (_world.IsLive)
            throw new InvalidOperationException("In live mode time is the machine's own.");
        _world.Clock.AdvanceTo(_world.Now + time.Ticks * 100);
    }

    /// <summary>
    /// Starts a loop: its code runs beside everybody else's, under the simulation's scheduler. When the program ends, loops that still run are
    /// stopped.
    /// </summary>
    /// <param name="name">Its name in findings and traces.</param>
    /// <param name="main">As for <see cref="EventLoop.Run(Func{Task}, LoopOptions?)"/>.</param>
    /// <param name="kernel">The process it runs in. Defaults to <see cref="Kernel"/>.</param>
    /// <param name="configure">Sets its options; kernel and name are set already, and the driver as <see cref="SimOptions.Driver"/> says.</param>
    public SimLoop Loop(string name, Func<Task> main, SimKernel? kernel = null, Action<LoopOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(main);
        var loop = new SimLoop(this, name, main, kernel ?? Kernel, configure);
        _loops.Add(loop);
        _world.Loops.Add(loop);
        switch (_world.Scheduler)
        {
            case BatonScheduler scheduler when _options.Mode == SimMode.Stepping:
                loop.StartStepped(scheduler);
                break;
            case BatonScheduler scheduler:
                scheduler.StartThread(loop.Kernel, name, loop.RunToEnd);
                break;
            default:
                StartLive(name, loop.RunToEnd);
                break;
        }

        return loop;
    }

    /// <summary>
    /// Starts a thread for code that blocks in system calls: it may be preempted at each of them. The simulation ends when it has returned.
    /// </summary>
    public void Thread(string name, Action body, SimKernel? kernel = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(body);
        if (_world.Scheduler is BatonScheduler scheduler)
            scheduler.StartThread(kernel ?? Kernel, name, () => RunBody(name, body));
        else
            StartLive(name, () => RunBody(name, body));
    }

    /// <summary>Has <paramref name="check"/> called when all loops and threads have ended: for what must hold then. What it throws is a finding.</summary>
    public void AtEnd(Action check)
    {
        ArgumentNullException.ThrowIfNull(check);
        _endChecks.Add(check);
    }

    private void RunBody(string name, Action body)
    {
        try
        {
            body();
        }
        catch (Exception exception) when (exception is not (SimulationException or SimulationEndedException or RunTooLongException))
        {
            throw Report.Make(_world, FindingKind.Failure, $"{name}: {exception.Message}", "", inner: exception);
        }
    }

    private void StartLive(string name, Action body)
    {
        var thread = new Thread(() =>
        {
            try
            {
                body();
            }
            catch (ProcessEndedException)
            {
            }
            catch (Exception exception)
            {
                _liveFailure ??= exception;
            }
        })
        { IsBackground = true, Name = name };
        lock (_liveThreads)
            _liveThreads.Add(thread);
        thread.Start();
    }

    private Exception? _liveFailure;

    /// <summary>What sets up a run of a program.</summary>
    internal static Action<Sim> Main(Func<Sim, Task> program) => sim => sim.Loop("main", () => program(sim)).Ended = sim.StopOthers;

    /// <exception cref="SimulationException">What was found.</exception>
    /// <exception cref="RunTooLongException">It was to be given up after so many points.</exception>
    internal void RunToEnd(Action<Sim> start)
    {
        try
        {
            start(this);
            if (_world.Scheduler is BatonScheduler scheduler)
                scheduler.Run();
            else
                JoinLive();
        }
        catch (Exception exception) when (exception is not (SimulationException or RunTooLongException))
        {
            throw Report.Make(_world, FindingKind.Failure, exception.Message, "", inner: exception);
        }

        if (_loops.FirstOrDefault(loop => loop.Failure != null && !loop.IsObserved) is { } failed)
            throw Report.Make(_world, FindingKind.Failure, $"{failed.Name}: {failed.Failure!.Message}", "", inner: failed.Failure);
        CheckEnd();
        if (_world.Detectors.AtEnd() is { } finding)
            throw finding;
    }

    private void CheckEnd()
    {
        foreach (Action check in _endChecks)
        {
            try
            {
                check();
            }
            catch (Exception exception) when (exception is not SimulationException)
            {
                throw Report.Make(_world, FindingKind.Failure, $"At the end: {exception.Message}", "", inner: exception);
            }
        }
    }

    // The program is over: what it left running is asked to end.
    private void StopOthers()
    {
        foreach (SimLoop loop in _loops)
            loop.Stop();
    }

    private void JoinLive()
    {
        for (int i = 0; ; i++)
        {
            Thread thread;
            lock (_liveThreads)
            {
                if (i == _liveThreads.Count)
                    break;
                thread = _liveThreads[i];
            }

            thread.Join();
        }

        if (_liveFailure != null)
            ExceptionDispatchInfo.Throw(_liveFailure);
    }

    /// <summary>The framework's Random over the simulation's generator, whose numbers never change between runtimes.</summary>
    private sealed class SimRandom(ulong seed) : Random
    {
        private SeededRandom _random = new(seed ^ 0x5851F42D4C957F2D);

        protected override double Sample() => _random.NextDouble();

        public override double NextDouble() => _random.NextDouble();

        public override int Next() => Next(int.MaxValue);

        public override int Next(int maxValue)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(maxValue);
            return maxValue == 0 ? 0 : _random.Next(maxValue);
        }

        public override int Next(int minValue, int maxValue)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minValue, maxValue);
            return minValue == maxValue ? minValue : (int)(minValue + (long)(_random.NextDouble() * ((long)maxValue - minValue)));
        }

        public override long NextInt64() => (long)(_random.NextUInt64() >> 1);

        public override void NextBytes(byte[] buffer) => NextBytes(buffer.AsSpan());

        public override void NextBytes(Span<byte> buffer)
        {
            foreach (ref byte one in buffer)
                one = (byte)_random.NextUInt64();
        }
    }
}
