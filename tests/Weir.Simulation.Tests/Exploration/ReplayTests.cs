namespace Weir.Simulation.Tests;

[Collection(nameof(ReplayTests))] // they set the environment, which is everybody's
[CollectionDefinition(nameof(ReplayTests), DisableParallelization = true)]
public class ReplayTests
{
    [Fact]
    public void A_token_says_seed_and_choices_and_comes_back_the_same()
    {
        int[] taken = [0, 0, 3, 0, 1, .. new int[1000], 200, 1];
        string token = new Schedule(ulong.MaxValue, taken).ToToken();
        Schedule back = Schedule.TryParse(token, out _)!;
        Assert.Equal(ulong.MaxValue, back.Seed);
        Assert.Equal(taken, back.Taken);
        Assert.InRange(token.Length, 10, 50);
    }

    [Fact]
    public void A_number_is_a_seed()
    {
        Schedule schedule = Schedule.TryParse(" 123 ", out _)!;
        Assert.Equal(123ul, schedule.Seed);
        Assert.Null(schedule.Taken);
    }

    [Theory]
    [InlineData("w1.AAAA", "cut short")]
    [InlineData("w1.*", "cut short")]
    [InlineData("-1", "neither")]
    [InlineData("hello", "neither")]
    public void What_is_neither_seed_nor_token_is_refused(string text, string why)
    {
        FormatException exception = Assert.Throws<FormatException>(() => Sim.Replay(text, RacyPrograms.Harmless));
        Assert.Contains(why, exception.Message);
    }

    [Fact]
    public void A_token_that_lost_a_character_is_refused()
    {
        string token = new Schedule(7, [0, 1, 0, 2]).ToToken();
        for (int i = 0; i < token.Length; i++)
            Assert.Null(Schedule.TryParse(token.Remove(i, 1), out _));
    }

    [Fact]
    public void A_run_without_a_seed_takes_a_new_one_and_reports_it()
    {
        ulong first = Assert.Throws<SimulationException>(() => Sim.Run(Fail)).Seed;
        SimulationException second = Assert.Throws<SimulationException>(() => Sim.Run(Fail));
        Assert.NotEqual(first, second.Seed);
        Assert.Contains($"WEIR_SEED={second.Seed}", second.Message);
        Assert.EndsWith($"Sim.Replay(\"{second.ReplayToken}\", program).", second.Message);
    }

    [Fact]
    public void The_environment_says_which_seed_runs()
    {
        WithSeed("4711", () =>
        {
            var seeds = new List<ulong>();
            ExploreResult result = Sim.Explore(Note);
            Sim.Run(Note);
            Assert.Equal([4711ul, 4711ul], seeds);
            Assert.Equal(1, result.Runs);
            Sim.Run(1, Note);
            Assert.Equal(1ul, seeds[^1]);

            Task Note(Sim sim)
            {
                seeds.Add(sim.Seed);
                return Task.CompletedTask;
            }
        });
    }

    [Fact]
    public void The_environment_says_which_schedule_runs()
    {
        var options = new ExploreOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Threads };
        SimulationException finding = Assert.Throws<SimulationException>(() => Sim.Explore(RacyPrograms.CheckThenAct, options));
        WithSeed(finding.ReplayToken!, () =>
        {
            Assert.Equal(finding.ReplayToken, Assert.Throws<SimulationException>(() => Sim.Explore(RacyPrograms.CheckThenAct, options)).ReplayToken);
            Assert.Equal(finding.ReplayToken, Assert.Throws<SimulationException>(() => Sim.Run(RacyPrograms.CheckThenAct, options)).ReplayToken);
        });
    }

    [Fact]
    public void Nonsense_in_the_environment_is_named()
        => WithSeed("hello", () => Assert.Contains("WEIR_SEED", Assert.Throws<FormatException>(() => Sim.Run(RacyPrograms.Harmless)).Message));

    [Fact]
    public void Live_runs_cannot_be_had_again()
        => Assert.Null(Assert.Throws<SimulationException>(() => Sim.Run(1, Fail, new SimOptions { Detect = RacyPrograms.NoLeaks, Mode = SimMode.Live })).ReplayToken);

    private static Task Fail(Sim sim) => throw new InvalidOperationException("broken");

    private static void WithSeed(string seed, Action body)
    {
        Environment.SetEnvironmentVariable("WEIR_SEED", seed);
        try
        {
            body();
        }
        finally
        {
            Environment.SetEnvironmentVariable("WEIR_SEED", null);
        }
    }
}
