using Xunit.Abstractions;
using Xunit.Sdk;

namespace Weir.Tests;

/// <summary>
/// A test whose threads meet a loop in real time: other threads, blocking waits, the thread pool. A class marked
/// <see cref="SteppedAttribute"/> that inherits it does not have it.
/// </summary>
[XunitTestCaseDiscoverer("Weir.Tests.ThreadedFactDiscoverer", "Weir.Tests")]
[AttributeUsage(AttributeTargets.Method)]
public sealed class ThreadedFactAttribute : FactAttribute;

/// <summary>As <see cref="ThreadedFactAttribute"/>, for a theory.</summary>
[XunitTestCaseDiscoverer("Weir.Tests.ThreadedTheoryDiscoverer", "Weir.Tests")]
[AttributeUsage(AttributeTargets.Method)]
public sealed class ThreadedTheoryAttribute : TheoryAttribute;

/// <summary>On a class of tests that inherits them from another and runs them without real threads.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class SteppedAttribute : Attribute
{
    internal static bool IsOn(ITestMethod method) => method.TestClass.Class.GetCustomAttributes(typeof(SteppedAttribute)).Any();
}

/// <summary>Finds what a <see cref="ThreadedFactAttribute"/> marks.</summary>
public sealed class ThreadedFactDiscoverer(IMessageSink diagnostics) : FactDiscoverer(diagnostics)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions options, ITestMethod method, IAttributeInfo fact)
        => SteppedAttribute.IsOn(method) ? [] : base.Discover(options, method, fact);
}

/// <summary>Finds what a <see cref="ThreadedTheoryAttribute"/> marks.</summary>
public sealed class ThreadedTheoryDiscoverer(IMessageSink diagnostics) : TheoryDiscoverer(diagnostics)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions options, ITestMethod method, IAttributeInfo theory)
        => SteppedAttribute.IsOn(method) ? [] : base.Discover(options, method, theory);
}
