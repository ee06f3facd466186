using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Weir.Simulation;

/// <summary>
/// Many runs of one program, several at once: each worker has a thread and takes the next seed, or a part of the tree of schedules. The first
/// finding ends it; of seeds that is the one with the lowest, whoever comes to it first.
/// </summary>
internal sealed class Explorer(Action<Sim> start, ExploreOptions options)
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(1), Patience = TimeSpan.FromSeconds(5);

    private readonly object _gate = new();
    private readonly Queue<ScheduleTree> _parts = new(); // of the tree, for whoever has nothing to do
    private readonly HashSet<ulong> _schedules = []; // of seeds, by their hashes
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly int _workers = (int)Math.Min(options.Parallelism, options.MostRuns);
    private long _runsBefore; // of the levels before this one
    private volatile int _idle; // workers that wait for a part
    private volatile bool _isOver;
    private bool _isExhausted;
    private long _begun;
    private long _runs;
    private long _steps;
    private SimulationException? _finding;
    private Exception? _failure; // of the explorer itself
    private long _foundIn = long.MaxValue;
    private ulong _foundSeed;
    private int[] _found = [];
    private bool _foundBySeed;

    private TimeSpan Elapsed => Stopwatch.GetElapsedTime(_began);

    /// <summary>Explores, and throws what was found, shrunk.</summary>
    internal ExploreResult Run()
    {
        if (options.IsExhaustive)
            RunLevels();
        else
            RunWorkers();
        if (_failure != null)
            throw new InvalidOperationException("Exploring failed.", _failure);
        if (_finding != null)
            ExceptionDispatchInfo.Throw(Conclude());
        return new ExploreResult
        {
            Runs = _runs,
            Schedules = options.IsExhaustive ? _runs - _runsBefore : _schedules.Count,
            Steps = _steps,
            IsExhausted = _isExhausted,
            Elapsed = Elapsed,
        };
    }

    private void RunLevels()
    {
        TreeBounds bounds = TreeBounds.Of(options);
        long found = -1; // schedules of the level before
        for (int preemptions = options.FewestFirst ? 0 : bounds.Preemptions; preemptions <= bounds.Preemptions; preemptions++)
        {
            _runsBefore = _runs;
            _isOver = _isExhausted = false;
            _idle = 0;
            _parts.Clear();
            _parts.Enqueue(new ScheduleTree(bounds with { Preemptions = preemptions }));
            RunWorkers();
            if (!_isExhausted || _runs - _runsBefore == found)
                return; // given up, found something, or there is nobody left to preempt once more
            found = _runs - _runsBefore;
        }
    }

    private void RunWorkers()
    {
        using var left = new CountdownEvent(_workers);
        for (int i = 0; i < _workers; i++)
        {
            var thread = new Thread(() =>
            {
                Work();
                left.Signal();
            })
            { IsBackground = true, Name = "explorer" };
            thread.Start();
        }

        try
        {
            while (!left.Wait(ReportEvery))
                Report();
        }
        catch
        {
            lock (_gate)
                Stop();
            left.Wait(); // a run that has begun is done to its end
            throw;
        }
    }

    private void Report()
    {
        var progress = new ExploreProgress(Interlocked.Read(ref _runs), Interlocked.Read(ref _steps), Elapsed);
        if (options.Progress is { } report)
            report(progress);
        else if (progress.Elapsed >= Patience)
            Say($"Sim.Explore: {progress.Runs} runs, {progress.Steps} steps in {progress.Elapsed.TotalSeconds:0} s");
    }

    // A console that cannot be written to is no reason to give up.
    private static void Say(string line)
    {
        try
        {
            Console.WriteLine(line);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
        }
    }

    private void Work()
    {
        try
        {
            var runner = new SimRunner(start, options);
            if (options.IsExhaustive)
                WalkTree(runner);
            else
                RunSeeds(runner);
        }
        catch (Exception exception)
        {
            lock (_gate)
            {
                _failure ??= exception;
                Stop();
            }
        }
    }

    // Seeds

    private void RunSeeds(SimRunner runner)
    {
        while (TryBegin(out long index))
        {
            ulong seed = options.FirstSeed + (ulong)index;
            RunOutcome outcome = runner.Run(new Schedule(seed), twice: index == 0 || options.CheckDeterminism);
            lock (_gate)
                _schedules.Add(outcome.Choices.Hash);
            if (outcome.Finding != null)
                Found(outcome, index, seed, bySeed: true);
            Interlocked.Add(ref _steps, outcome.Steps);
            Interlocked.Increment(ref _runs);
        }
    }

    private bool TryBegin(out long index)
    {
        index = -1;
        if (_isOver || (options.TimeLimit is { } limit && Elapsed > limit))
            return false;
        index = Interlocked.Increment(ref _begun) - 1;
        return index < options.MostRuns;
    }

    // The tree

    private void WalkTree(SimRunner runner)
    {
        while (TakePart() is { } tree)
            Walk(runner, tree);
    }

    // Waits for a part that somebody gives away. Null: it is over, or nobody has anything to give.
    private ScheduleTree? TakePart()
    {
        lock (_gate)
        {
            _idle++;
            while (_parts.Count == 0 && !_isOver)
            {
                if (_idle == _workers)
                {
                    _isExhausted = true;
                    Stop();
                    break;
                }

                Monitor.Wait(_gate);
            }

            if (_isOver)
                return null;
            _idle--;
            return _parts.Dequeue();
        }
    }

    private void Walk(SimRunner runner, ScheduleTree tree)
    {
        while (true)
        {
            if (!TryBegin(out long index))
            {
                lock (_gate)
                    Stop();
                return;
            }

            int[] path = tree.Path;
            RunOutcome outcome = runner.Run(new Schedule(options.FirstSeed, path), twice: index == 0 || options.CheckDeterminism);
            List<Choice> choices = outcome.Choices.Taken;
            if (outcome.Finding == null && tree.WasLeftBy(choices, out int at))
                outcome = outcome with { Finding = LeftItsPath(at, choices) };
            Interlocked.Add(ref _steps, outcome.Steps);
            Interlocked.Increment(ref _runs);
            if (outcome.Finding != null)
            {
                Found(outcome, index, options.FirstSeed, bySeed: false);
                return;
            }

            if (_idle > 0)
                GiveAway(tree, choices);
            if (!tree.Next(choices))
                return;
        }
    }

    private void GiveAway(ScheduleTree tree, List<Choice> choices)
    {
        lock (_gate)
        {
            if (_idle <= _parts.Count || tree.Split(choices) is not { } part)
                return;
            _parts.Enqueue(part);
            Monitor.Pulse(_gate);
        }
    }

    private SimulationException LeftItsPath(int at, List<Choice> choices)
    {
        var finding = new SimulationException(
            FindingKind.Nondeterminism,
            $"Two runs that took the same choices did not meet the same ones: choice {at} was another. Something is not determined by the seed and the choices; "
            + "SimOptions.CheckDeterminism says at which step.");
        finding.SetSchedule(Schedule.Of(options.FirstSeed, choices), seedIsEnough: false);
        return finding;
    }

    // Findings

    private void Stop()
    {
        _isOver = true;
        Monitor.PulseAll(_gate);
    }

    private void Found(in RunOutcome outcome, long index, ulong seed, bool bySeed)
    {
        lock (_gate)
        {
            Stop();
            if (index >= _foundIn)
                return;
            _foundIn = index;
            _finding = outcome.Finding;
            _foundSeed = seed;
            _foundBySeed = bySeed;
            _found = Schedule.TakenOf(outcome.Choices.Taken);
        }
    }

    // Shrinks the finding and runs it once more, with everybody watching.
    private SimulationException Conclude()
    {
        SimulationException found = _finding!;
        string where = options.IsExhaustive ? $"Found in schedule {_foundIn + 1}" : $"Found in run {_foundIn + 1}";
        if (found.Kind == FindingKind.Nondeterminism)
            return found;
        var runner = new SimRunner(start, options);
        var schedule = new Schedule(_foundSeed, _found);
        string story = $"{where}.";
        if (options.Shrink)
        {
            RunOutcome again = runner.Run(_foundSeed, new ReplayStrategy(_found));
            if (again.Finding == null || !again.Finding.IsLike(found))
                return Unstable(found, where);
            var shrinker = new Shrinker(runner, _foundSeed, again, options.ShrinkTime);
            Shrinker.Cost before = shrinker.Best;
            shrinker.Shrink();
            if (shrinker.IsUnstable)
                return Unstable(found, where);
            schedule = shrinker.BestSchedule;
            story = $"{where}: {before}.\nShrunk in {shrinker.Runs} runs to {shrinker.Best}.";
        }

        ScheduleWords? words = null;
        RunOutcome last = runner.Run(schedule, twice: false, world =>
        {
            words = new ScheduleWords(world);
            world.Choices.Words = words;
            options.Trace?.Attach(world);
        });
        if (last.Finding == null || !last.Finding.IsLike(found))
            return Unstable(found, where);
        Schedule exact = Schedule.Of(schedule.Seed, last.Choices.Taken);
        string special = words!.Lines.Count == 0
            ? "Nothing special is needed for it: no thread is stopped that could go on, and nothing fails."
            : $"What is special about it:\n  {string.Join("\n  ", words.Lines)}";
        last.Finding.SetSchedule(exact, _foundBySeed && !options.Shrink, $"{story}\n{special}\n");
        return last.Finding;
    }

    private static SimulationException Unstable(SimulationException found, string where)
    {
        found.AddToStory($"{where}. It did not occur again with the same choices: something is not determined by the seed (SimOptions.CheckDeterminism says at which step).\n");
        return found;
    }
}
