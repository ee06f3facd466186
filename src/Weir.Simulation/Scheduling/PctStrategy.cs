namespace Weir.Simulation;

/// <summary>
/// Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte 2010): every thread has a random priority, the highest
/// runs, and at a few steps chosen beforehand the one that runs falls below all others. A bug that needs d constraints on the order of steps
/// is found with d - 1 changes with a probability of at least 1/(threads * steps^(d-1)), however long the program is otherwise.
/// </summary>
internal sealed class PctStrategy : Strategy
{
    // One that goes on for so long while others could run waits for them, spinning; the algorithm itself would let it do so for ever. Less than
    // the scheduler's slice.
    private const int Patience = 400;

    // Where the number of steps is not known, each run takes it for one of these powers of two.
    private const int LeastScale = 3, MostScale = 13;

    private readonly int[] _changes; // steps, in ascending order
    private readonly List<double> _priorities = []; // by thread: above 1 at first, below when lowered
    private SeededRandom _random;
    private int _step;
    private int _nextChange;
    private double _lowest;
    private int _current = -1;
    private int _inARow;

    internal PctStrategy(ulong seed, int changes, int expectedSteps)
    {
        _random = new SeededRandom(seed);
        int steps = expectedSteps > 0 ? expectedSteps : 1 << (LeastScale + _random.Next(MostScale - LeastScale + 1));
        _changes = new int[changes];
        for (int i = 0; i < changes; i++)
            _changes[i] = _random.Next(steps);
        Array.Sort(_changes);
    }

    internal override int ChooseThread(List<SimThread> runnable, bool preempts)
    {
        int chosen = Highest(runnable);
        for (; _nextChange < _changes.Length && _changes[_nextChange] <= _step; _nextChange++)
        {
            _priorities[runnable[chosen].Id] = _random.NextDouble();
            chosen = Highest(runnable);
        }

        _step++;
        if (runnable[chosen].Id != _current)
        {
            _inARow = 0;
        }
        else if (++_inARow >= Patience)
        {
            _inARow = 0;
            _priorities[_current] = --_lowest;
            chosen = Highest(runnable);
        }

        _current = runnable[chosen].Id;
        return chosen;
    }

    private int Highest(List<SimThread> runnable)
    {
        int highest = 0;
        for (int i = 0; i < runnable.Count; i++)
        {
            while (_priorities.Count <= runnable[i].Id)
                _priorities.Add(1 + _random.NextDouble());
            if (_priorities[runnable[i].Id] > _priorities[runnable[highest].Id])
                highest = i;
        }

        return highest;
    }

    internal override bool Strikes(double probability) => _random.NextDouble() < probability;

    internal override int Choose(ChoiceKind kind, int options) => _random.Next(options);
}
