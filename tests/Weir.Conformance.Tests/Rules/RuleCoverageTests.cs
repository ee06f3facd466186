using System.Reflection;

namespace Weir.Conformance.Rules;

/// <summary>The rules are those of docs/rules.md, by their numbers there.</summary>
public sealed class RuleCoverageTests
{
    private const int LastRule = 89;

    // Read in the kernel's source only, so there is nothing to hold a kernel to: waiters that find nothing and sleep again (44), the
    // limit of registrations (54), which is the whole machine's.
    private static readonly string[] NotChecked = ["44", "54"];

    // Rules that came after the others, beside the one they belong to.
    private static readonly string[] Added = ["86a", "86b", "86c"];

    private static IEnumerable<string> AllRules => Enumerable.Range(1, LastRule).Select(number => number.ToString()).Except(NotChecked).Concat(Added);

    private static IEnumerable<string> Tested => typeof(RuleCoverageTests).Assembly.GetTypes()
        .SelectMany(type => type.GetMethods())
        .SelectMany(method => method.GetCustomAttributes<RuleAttribute>())
        .Select(rule => rule.Number)
        .Distinct();

    [Fact]
    public void Every_rule_has_a_test() => Assert.Empty(AllRules.Except(Tested));

    [Fact]
    public void Every_test_of_a_rule_names_one_that_exists() => Assert.Empty(Tested.Except(AllRules).Except(NotChecked));
}
