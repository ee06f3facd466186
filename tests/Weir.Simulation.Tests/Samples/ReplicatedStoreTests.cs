namespace Weir.Simulation.Tests;

public class ReplicatedStoreTests
{
    [Fact]
    public void One_run() => Sim.Run(1, StoreWorld.Program(new()), new SimOptions { CheckDeterminism = true });
}
