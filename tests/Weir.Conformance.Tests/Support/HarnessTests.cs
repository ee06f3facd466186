namespace Weir.Conformance;

/// <summary>That the harness notices what it is there to notice. Alone, for a number that is free again is anybody's.</summary>
[Collection(Alone.Name)]
public sealed class HarnessTests
{
    private static Transcript Run(Action<Machine> program) => new LinuxMachine().Run(program);

    [Fact]
    public void A_transcript_names_descriptors_and_shows_results()
    {
        Transcript transcript = Run(m =>
        {
            Fd set = m.Epoll();
            (Fd read, Fd write) = m.Pipe();
            m.Add(set, read, In | EdgeTriggered);
            m.Write(write, 3);
            m.Wait(set);
            m.Read(read, 8);
            m.Read(read, 8);
            m.Mod(set, write, Out, 7);
            m.Add(set, write, Out, 7);
            m.Wait(set);
        });
        transcript.AssertSucceeded();
        Assert.Equal(
            """
            e1 = epoll_create1()
            p1.r, p1.w = pipe()
            add(e1, p1.r, IN|ET) = 0
            write(p1.w, 3) = 3
            epoll_wait(e1, 16, 0) = [p1.r: IN]
            read(p1.r, 8) = 3 abc
            read(p1.r, 8) = EAGAIN
            mod(e1, p1.w, OUT, data 7) = ENOENT
            add(e1, p1.w, OUT, data 7) = 0
            epoll_wait(e1, 16, 0) = [data 7: OUT]
            """.ReplaceLineEndings("\n"),
            transcript.ToString());
    }

    [Fact]
    public void An_expectation_that_is_not_met_ends_the_program()
    {
        Transcript transcript = Run(m =>
        {
            Fd set = m.Epoll(), fd = m.EventFd(1);
            m.Add(set, fd, In);
            m.Wait(set).IsEmpty();
            m.Note("not reached");
        });
        Assert.NotNull(transcript.Failure);
        Assert.Contains("epoll_wait(e1, 16, 0) gave [ev1: IN] and not []", transcript.Failure.Message);
        Assert.Equal("epoll_wait(e1, 16, 0) = [ev1: IN]", transcript.Lines[^1]);
    }

    [Fact]
    public void So_does_one_in_another_thread()
    {
        Transcript transcript = Run(m =>
        {
            Fd fd = m.EventFd();
            m.Join(m.Start("other", () => m.ReadCount(fd).Is(1)));
        });
        Assert.Contains("EAGAIN", transcript.Failure!.Message);
        Assert.Equal(["ev1 = eventfd(0)", "start other", "other: read(ev1) = EAGAIN"], transcript.Lines);
    }

    [Fact]
    public void A_thread_left_behind_is_a_failure_and_does_not_outlive_the_program()
    {
        MachineThread? thread = null;
        Transcript transcript = Run(m =>
        {
            Fd set = m.Epoll();
            thread = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever));
        });
        Assert.Contains("without joining 'waiter'", transcript.Failure!.Message);
        Assert.True(thread!.HasEnded);
    }

    [Fact]
    public void What_a_program_leaves_open_is_closed()
    {
        int number = 0;
        Run(m => number = m.EventFd().Number).AssertSucceeded();
        Assert.True(number > 0);
        Run(m => m.Call("close", m.Kernel.Close(number)).Is(EBADF)).AssertSucceeded();
    }

    [Fact]
    public void Two_transcripts_are_shown_side_by_side_from_where_they_differ()
    {
        var one = new Transcript("linux", ["a", "b", "c"], null);
        Assert.Null(Transcript.Difference(one, new Transcript("other", ["a", "b", "c"], null)));
        string difference = Transcript.Difference(one, new Transcript("other", ["a", "x", "c"], null))!;
        Assert.Contains("Step 2 differs between linux and other", difference);
        Assert.Contains("> b     | x", difference);
        Assert.Contains("  a     | a", difference);
        Assert.NotNull(Transcript.Difference(one, new Transcript("other", ["a", "b"], null)));
        Assert.NotNull(Transcript.Difference(one, new Transcript("other", ["a", "b", "c"], new InvalidOperationException("late"))));
    }
}
