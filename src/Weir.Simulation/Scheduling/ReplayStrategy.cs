namespace Weir.Simulation;

/// <summary>Takes the choices of an earlier run; after the last of them nothing special happens any more.</summary>
internal sealed class ReplayStrategy(IReadOnlyList<int> taken) : Strategy
{
    private int _next;

    internal override int ChooseThread(List<SimThread> runnable, bool preempts) => Next();

    internal override bool Strikes(double probability) => Next() == 1;

    internal override int Choose(ChoiceKind kind, int options) => Next();

    private int Next() => _next < taken.Count ? taken[_next++] : 0;
}
