using Xunit.Abstractions;
using Xunit.Sdk;

namespace Weir.Conformance;

/// <summary>The rule of docs/rules.md that a test holds both kernels to; a trait, so that <c>--filter Rule=42</c> runs its tests.</summary>
[TraitDiscoverer("Weir.Conformance.RuleDiscoverer", "Weir.Conformance.Tests")]
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class RuleAttribute(string number) : Attribute, ITraitAttribute
{
    public RuleAttribute(int number)
        : this(number.ToString())
    {
    }

    public string Number { get; } = number;
}

/// <summary>Tells xunit the trait of a <see cref="RuleAttribute"/>.</summary>
public sealed class RuleDiscoverer : ITraitDiscoverer
{
    public IEnumerable<KeyValuePair<string, string>> GetTraits(IAttributeInfo traitAttribute)
        => [new("Rule", traitAttribute.GetConstructorArguments().First().ToString()!)];
}

/// <summary>A fact about newer kernels; skipped, and says why, on one that is older.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SinceFactAttribute : FactAttribute
{
    public SinceFactAttribute(int major, int minor)
    {
        Version running = Environment.OSVersion.Version;
        if (running < new Version(major, minor))
            Skip = $"Linux does so since {major}.{minor}; this is {running.Major}.{running.Minor}";
    }
}
