using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace Weir.Conformance.Random;

/// <summary>Looks for a program of a family that shows something, and then for the smallest.</summary>
internal sealed class ProgramSearch(Family family, ulong seed)
{
    private const int AtOnce = 200;

    /// <summary>Programs run so far.</summary>
    internal int Programs { get; private set; }

    /// <summary>Operations in those.</summary>
    internal int Operations { get; private set; }

    /// <summary>
    /// The smallest program found that <paramref name="shows"/> it; null if none of so many operations does.
    /// </summary>
    internal RandomProgram? FindSmallest(int operations, Func<RandomProgram, bool> shows)
    {
        RandomProgram? smallest = null;
        Property property = Prop.ForAll(ProgramGenerator.Programs(family), program =>
        {
            Programs++;
            Operations += program.Operations.Count;
            if (!shows(program))
                return true;
            smallest = program; // the search goes on from here to smaller ones, so the last that shows it is the smallest
            return false;
        });
        for (ulong i = 0; Operations < operations && smallest == null; i++)
        {
            Replay replay = new(new Rnd(seed + i), FSharpOption<int>.None);
            Config config = Config.QuickThrowOnFailure.WithMaxTest(AtOnce).WithQuietOnSuccess(true).WithReplay(FSharpOption<Replay>.Some(replay));
            try
            {
                Check.One(config, property);
            }
            catch (Exception) when (smallest != null)
            {
                // That is the answer; what FsCheck has to say about it says less than the program.
            }
        }

        return smallest;
    }
}
