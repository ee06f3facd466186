namespace Weir.Simulation.Tests;

public class LinearizabilityTests
{
    private static History NewHistory() => new(() => default);

    [Fact]
    public void A_get_after_a_set_finds_its_value()
    {
        History history = NewHistory();
        Set(history, "a");
        Get(history, "a");
        history.Check();

        Get(history, null);
        Assert.Throws<NotLinearizableException>(history.Check);
    }

    [Fact]
    public void A_get_beside_a_set_may_find_either_value_but_not_the_new_one_and_then_the_old()
    {
        History history = NewHistory();
        Set(history, "a");
        Operation set = history.BeginSet("writer", "x", "b");
        Get(history, "a");
        Get(history, "b");
        history.Check();

        Get(history, "a");
        history.EndSet(set);
        Assert.Contains("b must have been there while a was", Assert.Throws<NotLinearizableException>(history.Check).Message);
    }

    [Fact]
    public void A_set_that_never_ended_may_have_happened_or_not()
    {
        History history = NewHistory();
        history.BeginSet("writer", "x", "lost");
        history.BeginSet("writer", "x", "late");
        Set(history, "a");
        Get(history, "a");
        Get(history, "late");
        history.Check();
    }

    [Fact]
    public void A_set_is_not_seen_before_it_began_nor_when_there_was_none()
    {
        History early = NewHistory();
        Get(early, "a");
        Set(early, "a");
        Assert.Contains("before it was set", Assert.Throws<NotLinearizableException>(early.Check).Message);

        History none = NewHistory();
        Get(none, "a");
        Assert.Contains("nobody has set it", Assert.Throws<NotLinearizableException>(none.Check).Message);
    }

    [Fact]
    public void A_set_between_two_gets_of_an_older_value_is_a_conflict()
    {
        History history = NewHistory();
        Set(history, "a");
        Get(history, "a");
        Set(history, "b");
        Get(history, "a");
        Assert.Contains("b must have been there while a was", Assert.Throws<NotLinearizableException>(history.Check).Message);
        Get(history, "b");
        Assert.Contains("a and b must both", Assert.Throws<NotLinearizableException>(history.Check).Message);
    }

    /// <summary>The rules of the zones and a search through all orders (Wing, Gong 1993) must come to the same end.</summary>
    [Fact]
    public void The_checker_agrees_with_a_search_through_all_orders()
    {
        var random = new Random(1);
        int linearizable = 0;
        const int Histories = 20_000;
        for (int i = 0; i < Histories; i++)
        {
            List<Operation> operations = RandomHistory(random);
            bool found = new Search(operations).Succeeds();
            Assert.Equal(found, Linearizability.FindConflict(operations) == null);
            linearizable += found ? 1 : 0;
        }

        Assert.InRange(linearizable, Histories / 10, Histories * 9 / 10); // both are well tried
    }

    private static void Set(History history, string value) => history.EndSet(history.BeginSet("writer", "x", value));

    private static void Get(History history, string? value) => history.EndGet(history.BeginGet("reader", "x"), value);

    // A few clients, each with one operation at a time; gets find something that was set already, or nothing.
    private static List<Operation> RandomHistory(Random random)
    {
        History history = NewHistory();
        var open = new Operation?[3];
        List<string?> values = [null];
        for (int step = random.Next(4, 16); step > 0; step--)
        {
            ref Operation? mine = ref open[random.Next(open.Length)];
            if (mine == null)
            {
                mine = random.Next(2) == 0 ? history.BeginGet("reader", "x") : history.BeginSet("writer", "x", $"{step}");
                if (mine.IsSet)
                    values.Add(mine.Value);
                continue;
            }

            if (mine.IsSet)
                history.EndSet(mine);
            else
                history.EndGet(mine, values[Math.Max(random.Next(values.Count), random.Next(values.Count))]);
            mine = null;
        }

        return [.. history.Operations];
    }

    private sealed class Search(List<Operation> operations)
    {
        private readonly Operation[] _operations = [.. operations.Where(operation => operation.IsSet || operation.End != Operation.Never)];
        private readonly HashSet<(int Done, string? Value)> _tried = [];

        internal bool Succeeds(int done = 0, string? value = null)
        {
            long firstEnd = Operation.Never;
            for (int i = 0; i < _operations.Length; i++)
            {
                if ((done & (1 << i)) == 0)
                    firstEnd = Math.Min(firstEnd, _operations[i].End);
            }

            if (firstEnd == Operation.Never)
                return true; // what is left are sets that need not have happened
            if (!_tried.Add((done, value)))
                return false;
            for (int i = 0; i < _operations.Length; i++)
            {
                Operation next = _operations[i];
                // One that started after the end of another comes after it.
                if ((done & (1 << i)) == 0 && next.Start < firstEnd && (next.IsSet || next.Value == value) && Succeeds(done | (1 << i), next.Value))
                    return true;
            }

            return false;
        }
    }
}
