using System.Collections.Concurrent;

namespace Weir.Simulation;

/// <summary>
/// A real thread that carries simulated ones, one after the other: a run may last a few dozen microseconds, and making a thread takes
/// longer than that.
/// </summary>
internal sealed class Carrier
{
    private static readonly ConcurrentBag<Carrier> Idle = [];

    private readonly SemaphoreSlim _work = new(0);
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
        carrier._work.Release();
    }

    private void Serve()
    {
        while (true)
        {
            _work.Wait();
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
/// A place to wait for the baton, for one thread at a time. Spins first: the one who has it mostly gives it back within a microsecond or two.
/// </summary>
internal sealed class Baton
{
    private const int Spins = 40;

    private readonly SemaphoreSlim _parked = new(0);
    private int _state; // 0: neither; 1: it is here; -1: somebody is parked

    internal void Give()
    {
        // Full fence: what the giver did is visible to the taker.
        if (Interlocked.Exchange(ref _state, 1) == -1)
            _parked.Release();
    }

    internal void Take()
    {
        SpinWait spin = default;
        for (int i = 0; i < Spins && Volatile.Read(ref _state) == 0; i++)
            spin.SpinOnce(sleep1Threshold: -1);
        if (Interlocked.CompareExchange(ref _state, -1, 0) == 0)
            _parked.Wait();
        Volatile.Write(ref _state, 0);
    }

    /// <summary>As <see cref="Take"/>, within a time. False: it did not come.</summary>
    internal bool TryTake(TimeSpan time)
    {
        if (Interlocked.CompareExchange(ref _state, -1, 0) == 0 && !_parked.Wait(time))
        {
            if (Interlocked.CompareExchange(ref _state, 0, -1) == -1)
                return false;
            _parked.Wait(); // it came in that very moment
        }

        Volatile.Write(ref _state, 0);
        return true;
    }
}
