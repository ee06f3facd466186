namespace Weir.Simulation.Tests;

/// <summary>samples/ReplicatedStore in a world where machines crash and networks fail; and two mistakes in it, which that world must bring to light.</summary>
public class ReplicatedStoreTests
{
    [Fact]
    public void Two_hundred_seeds_of_crashes_and_partitions_leave_every_key_linearizable()
    {
        ExploreResult result = Sim.Explore(StoreWorld.Program(new()), new ExploreOptions { Runs = 200 });
        Assert.Equal(200, result.Runs);
    }

    [Fact]
    public void So_do_faults_of_the_kernel()
    {
        var options = new ExploreOptions { Runs = 30, FirstSeed = 1001 };
        options.Faults.Add(SimFault.ConnectionReset, 0.005).Add(SimFault.ShortRead, 0.05).Add(SimFault.LateArrival, 0.05).Add(SimFault.FalseReadiness, 0.05);
        options.Faults.Add(new FaultRule { Fault = SimFault.NoDescriptors, Probability = 0.1, Call = SystemCall.Accept4 });
        Sim.Explore(StoreWorld.Program(new()), options);
    }

    [Fact]
    public void It_runs_with_a_thread_for_each_loop_too()
        => Sim.Explore(StoreWorld.Program(new()), new ExploreOptions { Runs = 30, Mode = SimMode.Threads });

    [Fact]
    public void Two_runs_with_one_seed_are_the_same()
        => Sim.Explore(StoreWorld.Program(new()), new ExploreOptions { Runs = 10, CheckDeterminism = true });

    [Fact]
    public void Gets_that_do_not_write_back_are_found_shrunk_and_replayed()
    {
        Func<Sim, Task> program = StoreWorld.Program(new() { WriteBack = false });
        SimulationException found = Assert.Throws<SimulationException>(
            () => Sim.Explore(program, new ExploreOptions { Runs = 2000, ShrinkTime = TimeSpan.FromSeconds(3) }));
        Assert.IsType<NotLinearizableException>(found.InnerException);
        Assert.Contains("Shrunk in", found.Message);

        SimulationException again = Assert.Throws<SimulationException>(() => Sim.Replay(found.ReplayToken!, program));
        Assert.Equal(found.InnerException.Message, again.InnerException!.Message);
    }

    [Fact]
    public void Replicas_that_acknowledge_what_they_hold_in_memory_only_are_found()
    {
        SimulationException found = Assert.Throws<SimulationException>(
            () => Sim.Explore(StoreWorld.Program(new() { Durable = false }), new ExploreOptions { Runs = 200, Shrink = false }));
        Assert.IsType<NotLinearizableException>(found.InnerException);
    }
}
