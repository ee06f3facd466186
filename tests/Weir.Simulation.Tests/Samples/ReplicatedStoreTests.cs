using ReplicatedStore;

namespace Weir.Simulation.Tests;

/// <summary>samples/ReplicatedStore in a world where machines crash and networks fail; and two mistakes in it, which that world must bring to light.</summary>
public class ReplicatedStoreTests
{
    [Fact]
    public void Two_hundred_seeds_of_crashes_and_partitions_leave_every_key_linearizable()
    {
        ExploreResult result = Sim.Explore(StoreWorld.Program(new()), new ExploreOptions { Runs = 200 });
        Assert.Equal(200, result.Runs);
        System.Console.WriteLine(result);
    }

    [Fact]
    public void Reads_that_do_not_write_back_are_found()
    {
        var settings = new StoreWorld.Settings { Store = new StoreOptions { WriteBack = false } };
        SimulationException found = Assert.Throws<SimulationException>(() => Sim.Explore(StoreWorld.Program(settings), new ExploreOptions { Runs = 500 }));
        System.Console.WriteLine(found.Message);
        Assert.IsType<NotLinearizableException>(found.InnerException);
    }

    [Fact]
    public void Replicas_that_acknowledge_what_they_have_in_memory_only_are_found()
    {
        var settings = new StoreWorld.Settings { Durable = false };
        SimulationException found = Assert.Throws<SimulationException>(() => Sim.Explore(StoreWorld.Program(settings), new ExploreOptions { Runs = 500 }));
        System.Console.WriteLine(found.Message);
        Assert.IsType<NotLinearizableException>(found.InnerException);
    }
}
