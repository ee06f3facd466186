namespace Weir;

/// <summary>What a <see cref="Poller"/> is made with.</summary>
public sealed class PollerOptions
{
    /// <summary>The kernel whose descriptors it watches. Defaults to <see cref="Kernel.Linux"/>.</summary>
    public Kernel Kernel { get; init; } = Kernel.Linux;
}
