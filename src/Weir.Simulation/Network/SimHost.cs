using System.Net;

namespace Weir.Simulation;

/// <summary>
/// A machine in the network of a simulation. Processes on it share its addresses, its file system and its loopback; it can crash and come
/// back.
/// </summary>
/// <remarks>Members may be called by code that the simulation runs, and by no other.</remarks>
public sealed class SimHost
{
    private readonly Sim _sim;
    private int _nextPort = NetStack.FirstEphemeralPort;

    internal SimHost(Sim sim, string name, IpAddress[] addresses, SimKernel? kernel = null)
    {
        _sim = sim;
        Name = name;
        RawAddresses = addresses;
        Addresses = [.. addresses.Select(address => address.ToFramework())];
        Kernel = kernel ?? new SimKernel(new Machine(sim.World, name), name);
        sim.Network.Add(this);
        Stack.Join(this);
    }

    /// <summary>Its name in traces and findings.</summary>
    public string Name { get; }

    /// <summary>Its addresses in the network; 127.0.0.1 and ::1 it has besides.</summary>
    public IReadOnlyList<IPAddress> Addresses { get; }

    internal IpAddress[] RawAddresses { get; }

    /// <summary>The kernel as its first process sees it. After a restart it is another one.</summary>
    public SimKernel Kernel { get; private set; }

    /// <summary>Whether it runs: it has not crashed, or was restarted since.</summary>
    public bool IsUp { get; private set; } = true;

    internal NetStack Stack => Kernel.Machine.Stack;

    /// <summary>Starts another process: the same machine, seen through descriptors of its own.</summary>
    /// <exception cref="InvalidOperationException">The host has crashed.</exception>
    public SimKernel StartProcess(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!IsUp)
            throw new InvalidOperationException($"{Name} has crashed; restart it first.");
        return new SimKernel(Kernel.Machine, name);
    }

    /// <summary>
    /// Ends everything that runs on it at once, as a power failure does: loops and threads go no further, connections vanish without a word
    /// to their peers. A peer finds out when it sends to the restarted host and is reset, or when nothing answers for too long. To a thread of the
    /// host itself the call does not return: an exception unwinds that, as it does the others.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is the host that the simulation's own program runs on.</exception>
    /// <exception cref="NotSupportedException">In live mode, where nothing can end a thread.</exception>
    public void Crash()
    {
        if (this == _sim.Host)
            throw new InvalidOperationException($"{Name} is the host that the simulation's program runs on; crash another.");
        using SimNetwork.Entry entry = _sim.Network.Enter();
        GoDown();
        if (SimThread.Current?.Process is { HasExited: true })
            throw new ProcessEndedException();
    }

    private void GoDown()
    {
        if (!IsUp)
            return;
        if (_sim.World.IsLive)
            throw new NotSupportedException("not emulated: a crash in live mode");
        IsUp = false;
        _sim.World.Log.Note($"{Name} crashes");
        _nextPort = Stack.NextEphemeralPort;
        Stack.GoDown(); // first, so that what closes now says nothing
        foreach (SimKernel process in Kernel.Machine.Processes)
            process.EndProcess(SignalNumbers.Kill);
        _sim.Network.TellOfTrouble();
    }

    /// <summary>
    /// Starts it again with the same addresses and the names in its file system, and with nothing running: give the new <see cref="Kernel"/>, which
    /// is returned, to loops and threads. A host that runs crashes first.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is the host that the simulation's own program runs on, or the caller runs on it.</exception>
    /// <exception cref="NotSupportedException">It runs, in live mode.</exception>
    public SimKernel Restart()
    {
        if (this == _sim.Host || (IsUp && SimThread.Current?.Process.Machine == Kernel.Machine))
            throw new InvalidOperationException($"{Name} cannot be restarted from within; crash or restart another host.");
        using SimNetwork.Entry entry = _sim.Network.Enter();
        GoDown();
        var machine = new Machine(_sim.World, Name);
        machine.TakeFilesOf(Kernel.Machine);
        Kernel = new SimKernel(machine, Name);
        Stack.Join(this);
        // Where ports are drawn at random, as on Linux, those from before hardly ever come again.
        Stack.NextEphemeralPort = _nextPort;
        IsUp = true;
        _sim.World.Log.Note($"{Name} restarts");
        _sim.Network.TellOfTrouble();
        return Kernel;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
