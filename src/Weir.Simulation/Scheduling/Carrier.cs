using System.Collections.Concurrent;

namespace Weir.Simulation;

/// <summary>
/// A real thread that carries simulated ones, one after the other: a run may last a few dozen microseconds, and making a thread takes
/// longer than that.
/// </summary>
internal sealed class Carrier
{
    private static readonly ConcurrentBag<Carrier> Idle = [];

    private readonly Baton _work = new();
    private Action? _body;

    private Carrier()
    {
        Thread = new Thread(Serve) { IsBackground = true, Name = "simulated thread" };
        Thread.Start();
    }

    internal Thread Thread { get; }

    /// <summary>Runs <paramref name="body"/>, which must not throw, on some carrier.</summary>
    internal static void Run(Action body)
    {
        if (!Idle.TryTake(out Carrier? carrier))
            carrier = new Carrier();
        carrier._body = body;
        carrier._work.Give();
    }

    private void Serve()
    {
        while (true)
        {
            _work.Take();
            Action body = _body!;
            _body = null;
            body();
            // What a simulated thread left on the real one is not for the next: a loop whose end was cut short has not left it.
            EventLoop.LeaveThread(null);
            Idle.Add(this);
        }
    }
}

/// <summary>
/// A place to wait for the baton, for one thread at a time. Spins for a few microseconds first, since the one who has it mostly gives it back by
/// then; and does so without yielding, for where several simulations run at once, threads that yield to each other keep those from running that
/// have something to do.
/// </summary>
internal sealed class Baton
{
    private const int Spins = 30, SpinLength = 20; // some 100 ns each

    private static readonly int MostSpins = Environment.ProcessorCount > 1 ? Spins : 0;

    private readonly object _gate = new();
    private volatile bool _isHere;

    internal void Give()
    {
        lock (_gate)
        {
            _isHere = true;
            Monitor.Pulse(_gate);
        }
    }

    internal void Take()
    {
        Spin();
        lock (_gate)
        {
            while (!_isHere)
                Monitor.Wait(_gate);
            _isHere = false;
        }
    }

    /// <summary>As <see cref="Take"/>, within a time. False: it did not come.</summary>
    internal bool TryTake(TimeSpan time)
    {
        Spin();
        lock (_gate)
        {
            if (!_isHere)
                Monitor.Wait(_gate, time);
            bool came = _isHere;
            _isHere = false;
            return came;
        }
    }

    private void Spin()
    {
        for (int i = 0; i < MostSpins && !_isHere; i++)
            Thread.SpinWait(SpinLength);
    }
}
