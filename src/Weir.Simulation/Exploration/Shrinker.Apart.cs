namespace Weir.Simulation;

/// <summary>
/// One thread more or less that could run at some point, and all choices after it would be taken for others than they were made for. So who runs is kept apart here
/// from what faults, the world and the program do: each of the two goes on in its own order, whatever becomes of the other.
/// </summary>
internal sealed partial class Shrinker
{
    // The plain option at some of the special choices of one part: all of them, halves, quarters, one by one.
    private bool ResetApart(bool threads)
    {
        bool better = false;
        for (int size = SpecialOf(Part(threads)); size > 0 && !IsOver; size /= 2)
        {
            for (int from = SpecialOf(Part(threads)) - size; from > -size && !IsOver; from -= size)
            {
                int[] part = Part(threads);
                int special = 0;
                for (int i = 0; i < part.Length; i++)
                {
                    if (part[i] != 0 && special++ is int number && number >= from && number < from + size)
                        part[i] = 0;
                }

                int[] other = Part(!threads);
                if (_tried.Add(Hash(part) * 31 + Hash(other) + (threads ? 1u : 0u)))
                    better |= Try(threads ? new ApartStrategy(part, other) : new ApartStrategy(other, part));
            }
        }

        return better;
    }

    private int[] Part(bool threads) => [.. from choice in _best where choice.Kind == ChoiceKind.Thread == threads select choice.Taken];

    private static int SpecialOf(int[] part) => part.Length - part.AsSpan().Count(0);

    /// <summary>Takes who runs from one list and everything else from another; after the end of each nothing special happens any more.</summary>
    private sealed class ApartStrategy(int[] threads, int[] others) : Strategy
    {
        private int _nextThread;
        private int _nextOther;

        internal override int ChooseThread(List<SimThread> runnable, bool preempts) => _nextThread < threads.Length ? threads[_nextThread++] : 0;

        internal override bool Strikes(double probability) => Next() == 1;

        internal override int Choose(ChoiceKind kind, int options) => Next();

        private int Next() => _nextOther < others.Length ? others[_nextOther++] : 0;
    }
}
