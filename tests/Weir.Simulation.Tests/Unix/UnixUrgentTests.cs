namespace Weir.Simulation.Tests.Unix;

public class UnixUrgentTests
{
    private const uint AtMark = 0x8905;

    [Fact]
    public void An_urgent_byte_stops_a_read_and_the_next_passes_over_it() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Watch(b, "b");
        p.Events();
        p.SendText(a, "abc", MessageFlags.OutOfBand);
        p.SendText(a, "def");
        p.Events();
        p.Poll(b);
        p.Queued(b, AtMark);
        p.ReceiveText(b, 100, MessageFlags.Peek);
        p.ReceiveText(b);
        p.Queued(b, AtMark);
        p.Poll(b);
        p.ReceiveText(b);
        p.Poll(b);
        p.ReceiveText(b, 1, MessageFlags.OutOfBand);
    });

    [Fact]
    public void An_urgent_byte_is_taken_by_itself_and_leaves_a_mark() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.Watch(a, "a");
        p.Events();
        p.SendText(a, "ab", MessageFlags.OutOfBand);
        p.SendText(a, "cd");
        p.ReceiveText(b, 1, MessageFlags.OutOfBand | MessageFlags.Peek);
        p.ReceiveText(b, 1, MessageFlags.OutOfBand);
        p.ReceiveText(b, 1, MessageFlags.OutOfBand);
        p.Poll(b);
        p.Events();
        p.ReceiveText(b, 100, MessageFlags.Peek);
        p.ReceiveText(b);
        p.Queued(b, AtMark);
        p.ReceiveText(b);
        p.Events();
        p.ReceiveText(b);
    });

    [Fact]
    public void A_second_urgent_byte_makes_the_first_an_ordinary_one() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.SendText(a, "1", MessageFlags.OutOfBand);
        p.SendText(a, "x");
        p.SendText(a, "2", MessageFlags.OutOfBand);
        p.ReceiveText(b);
        p.ReceiveText(b, 1, MessageFlags.OutOfBand);
        p.Poll(b);
        p.SendText(a, "3", MessageFlags.OutOfBand);
        p.ReceiveText(b, 1, MessageFlags.OutOfBand);
        p.SendText(a, "4", MessageFlags.OutOfBand);
        p.ReceiveText(b, 1, MessageFlags.OutOfBand);
        p.Poll(b);
        p.ReceiveText(b);
        p.Poll(b);
        p.Close(b);
        p.Poll(a);
    });

    [Fact]
    public void Inline_it_is_read_in_its_place() => UnixProgram.Compare(p =>
    {
        (int a, int b) = p.Pair();
        p.SetOption(b, 10, 1);
        p.SendText(a, "abc", MessageFlags.OutOfBand);
        p.SendText(a, "def");
        p.ReceiveText(b, 1, MessageFlags.OutOfBand);
        p.ReceiveText(b);
        p.ReceiveText(b, 100, MessageFlags.Peek);
        p.ReceiveText(b);
        p.Poll(b);
    });

    [Fact]
    public void Only_streams_have_it() => UnixProgram.Compare(p =>
    {
        foreach (SocketKind kind in new[] { SocketKind.Datagram, SocketKind.SeqPacket })
        {
            (int a, int b) = p.Pair(kind);
            p.SendText(a, "x", MessageFlags.OutOfBand);
            p.ReceiveText(b, 1, MessageFlags.OutOfBand);
            p.Queued(b, AtMark);
        }

        (int c, _) = p.Pair();
        p.SendText(c, "", MessageFlags.OutOfBand);
    });
}
