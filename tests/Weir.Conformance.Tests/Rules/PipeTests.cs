namespace Weir.Conformance.Rules;

/// <summary>Pipes, with a name and without.</summary>
public sealed class PipeTests : ConformanceTests
{
    private const int Slots = 16;

    [Fact, Rule(63)]
    public void A_pipe_is_writable_while_a_slot_is_free() => Run(m =>
    {
        (_, Fd write) = m.Pipe();
        for (int i = 0; i < Slots; i++)
        {
            m.Poll(write).Is(Out);
            m.Write(write, m.PageSize).Is(m.PageSize);
        }

        m.Poll(write).Is(0);
        m.Write(write).Is(EAGAIN);
    });

    [Fact, Rule(63)]
    public void Pages_half_full_use_up_the_slots_and_small_writes_still_merge() => Run(m =>
    {
        (Fd read, Fd write) = m.Pipe();
        int half = m.PageSize / 2 + 1;
        for (int i = 0; i < Slots; i++)
            m.Write(write, half).Is(half);
        m.Poll(write).Is(0);
        m.Write(write, half).Is(EAGAIN);
        m.Write(write).Is(1);
        m.Poll(write).Is(0);
        m.Readable(read).Is(Slots * half + 1);
        int rest = m.PageSize - half - 1;
        m.Write(write, rest + 1).Is(EAGAIN);
        m.Write(write, rest).Is(rest);
        m.Write(write).Is(EAGAIN);
    });

    [Fact, Rule(64)]
    public void Every_write_is_an_edge_for_the_reader() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd read, Fd write) = m.Pipe();
        m.Add(set, read, In | EdgeTriggered);
        m.Write(write).Is(1);
        m.Wait(set).Is((read, In));
        m.Write(write).Is(1); // merges into the same page
        m.Wait(set).Is((read, In));
        m.Read(read).Is(1);
        m.Wait(set).IsEmpty();
        m.Write(write).Is(1);
        m.Wait(set).Is((read, In));
    });

    [Fact, Rule(64)]
    public void The_writer_gets_an_edge_when_a_full_pipe_frees_a_slot() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd read, Fd write) = m.Pipe();
        m.Add(set, write, Out | EdgeTriggered);
        m.Wait(set).Is((write, Out));
        m.Fill(write, m.PageSize).Is(Slots * m.PageSize);
        m.Wait(set).IsEmpty();
        m.Read(read, m.PageSize - 1).Is(m.PageSize - 1);
        m.Wait(set).IsEmpty();
        m.Write(write).Is(EAGAIN);
        m.Read(read, 1).Is(1);
        m.Wait(set).Is((write, Out));
        m.Read(read, m.PageSize).Is(m.PageSize);
        m.Wait(set).IsEmpty(); // it was not full
        m.Drain(read).Is((Slots - 2) * m.PageSize);
        m.Wait(set).IsEmpty();
    });

    [Fact, Rule(65)]
    public void The_last_writer_gone_is_a_hang_up_and_no_half_closing() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd read, Fd write) = m.Pipe();
        Fd copy = m.Dup(write);
        m.Add(set, read, In | RdHup);
        m.Write(write).Is(1);
        m.Close(write);
        m.Wait(set).Is((read, In));
        m.Close(copy);
        m.Wait(set).Is((read, In | Hup));
        m.Read(read).Is(1);
        m.Wait(set).Is((read, Hup));
        m.Read(read).Is(0);
        m.Poll(read).Is(Hup);
    });

    [Fact, Rule(65)]
    public void The_last_reader_gone_is_an_error() => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd read, Fd write) = m.Pipe();
        (Fd read2, Fd full) = m.Pipe();
        m.Fill(full, m.PageSize);
        m.Add(set, write, In | Out | RdHup | EdgeTriggered);
        m.Add(set, full, In | Out | RdHup | EdgeTriggered);
        m.Wait(set).Is((write, Out));
        m.Close(read);
        m.Wait(set).Is((write, Out | Err));
        m.Write(write).Is(EPIPE);
        m.Close(read2);
        m.Wait(set).Is((full, Err));
        m.Write(full).Is(EPIPE);
    });

    [Fact, Rule(66)]
    public void A_reader_of_a_named_pipe_hears_nothing_before_the_first_writer() => Run(m =>
    {
        Fd set = m.Epoll();
        string path = m.Fifo();
        m.OpenFifo(path, write: true, out Outcome refused);
        refused.Is(ENXIO);
        Fd read = m.OpenFifo(path, write: false);
        m.Add(set, read, In | RdHup);
        m.Poll(read).Is(0);
        m.Wait(set).IsEmpty();
        m.Read(read).Is(0);
        Fd write = m.OpenFifo(path, write: true);
        m.Wait(set).IsEmpty();
        m.Read(read).Is(EAGAIN);
        m.Close(write);
        m.Wait(set).Is((read, Hup));
        write = m.OpenFifo(path, write: true);
        m.Wait(set).IsEmpty();
        m.Poll(read).Is(0);
        m.Write(write).Is(1);
        m.Wait(set).Is((read, In));
        m.Close(write);
        m.Wait(set).Is((read, In | Hup));
    });

    [Fact, Rule(66)]
    public void A_named_pipe_keeps_its_edges_over_its_writers() => Run(m =>
    {
        Fd set = m.Epoll();
        string path = m.Fifo();
        Fd read = m.OpenFifo(path, write: false);
        m.Add(set, read, In | EdgeTriggered);
        for (int i = 0; i < 2; i++)
        {
            Fd write = m.OpenFifo(path, write: true);
            m.Wait(set).IsEmpty();
            m.Write(write).Is(1);
            m.Wait(set).Is((read, In));
            m.Read(read).Is(1);
            m.Close(write);
            m.Wait(set).Is((read, Hup));
        }
    });

    [Fact, Rule(67)]
    public void A_write_over_the_atomic_size_may_be_partial() => Run(m =>
    {
        (Fd read, Fd write) = m.Pipe();
        for (int i = 0; i < Slots - 2; i++)
            m.Write(write, m.PageSize).Is(m.PageSize);
        m.Write(write, 3 * m.PageSize).Is(2 * m.PageSize);
        m.Write(write, 3 * m.PageSize).Is(EAGAIN);
        m.Read(read, m.PageSize).Is(m.PageSize);
        m.Write(write, m.PageSize + 1).Is(m.PageSize);
    });

    [Fact, Rule(67)]
    public void A_write_up_to_the_atomic_size_is_whole_or_not_at_all() => Run(m =>
    {
        const int atomic = 4096; // PIPE_BUF
        (Fd read, Fd write) = m.Pipe();
        for (int i = 0; i < Slots - 1; i++)
            m.Write(write, m.PageSize).Is(m.PageSize);
        m.Write(write, m.PageSize - atomic + 2000).Is(m.PageSize - atomic + 2000);
        m.Write(write, atomic).Is(EAGAIN);
        m.Write(write, 2097).Is(EAGAIN);
        m.Write(write, 2096).Is(2096);
        m.Read(read, m.PageSize).Is(m.PageSize);
        m.Write(write, atomic).Is(atomic);
    });
}
