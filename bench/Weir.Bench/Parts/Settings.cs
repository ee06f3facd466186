namespace Weir.Bench.Parts;

/// <summary>What every benchmark is told: how long, how often, and where on the machine.</summary>
/// <param name="Rounds">Rounds; in each, every peer is measured once.</param>
/// <param name="Seconds">How long one measurement takes, after its warm-up.</param>
/// <param name="Quick">A short run that shows the harness works; its numbers say little.</param>
/// <param name="ServerCpu">The CPU the servers are pinned to.</param>
/// <param name="ClientCpu">The CPU the load generator is pinned to.</param>
internal sealed record Settings(int Rounds, double Seconds, bool Quick, int ServerCpu, int ClientCpu)
{
    /// <summary>Before each measurement a load runs unmeasured for this long, so that buffers and caches are filled.</summary>
    public double WarmUpSeconds => Quick ? 0.2 : 0.3;
}
