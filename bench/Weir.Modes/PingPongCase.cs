namespace Weir.Bench.Modes;

/// <summary>
/// Messages of 64 bytes go to and fro between two ends, each with its poller. On one thread nothing ever blocks and only the calls are
/// measured; on two threads every message wakes a sleeping thread.
/// </summary>
internal sealed unsafe class PingPongCase(string group, Transport transport, Style style, bool twoThreads)
    : ModeCase(group, Receiver.Describe(style))
{
    private const int Length = 64;
    private const int Capacity = 512;

    private int _left;
    private int _right;
    private Receiver _leftEnd = null!;
    private Receiver _rightEnd = null!;

    internal override int MessagesPerRound => twoThreads ? 8_000 : 20_000;

    protected override void Open()
    {
        (_left, _right) = Transports.Connect(Kernel, transport);
        Keep(_left);
        Keep(_right);
        _leftEnd = new Receiver(Kernel, _left, style);
        _rightEnd = new Receiver(Kernel, _right, style);
    }

    internal override void Run(int messages)
    {
        byte* buffer = stackalloc byte[Capacity];
        if (!twoThreads)
        {
            for (int i = 0; i < messages; i += 2)
            {
                Send(_left, buffer);
                _rightEnd.Take(buffer, Capacity, Length);
                Send(_right, buffer);
                _leftEnd.Take(buffer, Capacity, Length);
            }

            return;
        }

        Thread echo = new(() =>
        {
            byte* own = stackalloc byte[Capacity];
            for (int i = 0; i < messages; i += 2)
            {
                _rightEnd.Take(own, Capacity, Length);
                Send(_right, own);
            }
        });
        echo.Start();
        for (int i = 0; i < messages; i += 2)
        {
            Send(_left, buffer);
            _leftEnd.Take(buffer, Capacity, Length);
        }

        echo.Join();
    }

    private void Send(int fd, byte* buffer) => Expect(Length, Kernel.Send(fd, buffer, Length, MessageFlags.NoSignal));

    public override void Dispose()
    {
        _leftEnd.Dispose();
        _rightEnd.Dispose();
        base.Dispose();
    }
}
