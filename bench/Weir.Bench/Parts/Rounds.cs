namespace Weir.Bench.Parts;

/// <summary>
/// Interleaved measuring: each round measures everybody once, so that whatever the machine does meanwhile meets all
/// alike; and each round starts with somebody else, so that nobody always follows the same neighbour.
/// </summary>
internal static class Rounds
{
    /// <summary>The results of each subject, in the order of the rounds.</summary>
    public static Dictionary<TSubject, List<TResult>> Measure<TSubject, TResult>(
        int rounds, IReadOnlyList<TSubject> subjects, Func<TSubject, TResult> measure)
        where TSubject : notnull
    {
        Dictionary<TSubject, List<TResult>> results = subjects.ToDictionary(subject => subject, _ => new List<TResult>());
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < subjects.Count; i++)
            {
                TSubject subject = subjects[(round + i) % subjects.Count];
                results[subject].Add(measure(subject));
            }
        }

        return results;
    }
}
