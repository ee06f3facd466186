using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Weir.Bench.Parts;

/// <summary>A running server of a <see cref="Peer"/> on a port of its own.</summary>
internal sealed class EchoServer : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(15);

    private readonly OtherProcess _process;

    private EchoServer(Peer peer, int port, OtherProcess process) => (Peer, Port, _process) = (peer, port, process);

    public Peer Peer { get; }

    public int Port { get; }

    public int Id => _process.Id;

    /// <summary>Resident bytes, counted page by page (statm's figure may be off by some hundred pages).</summary>
    public long ResidentBytes
    {
        get
        {
            string line = File.ReadLines($"/proc/{Id}/smaps_rollup").First(line => line.StartsWith("Rss:", StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024;
        }
    }

    /// <summary>
    /// Starts a server and returns when it accepts connections. What it says on stdout is dropped, unless
    /// <paramref name="talks"/>: then <see cref="Ask"/> reads it.
    /// </summary>
    public static EchoServer Start(Peer peer, int cpu, int buffer, bool talks = false)
    {
        int port = FreePort();
        OtherProcess process = OtherProcess.Start(cpu, peer.Command(port, buffer), peer.Environment);
        if (!talks)
        {
            _ = process.Output.BaseStream.CopyToAsync(Stream.Null); // a full pipe would stop it
        }

        long started = Stopwatch.GetTimestamp();
        while (!Accepts(port))
        {
            if (process.HasExited)
            {
                throw new BenchException($"{peer.Name} ended with {process.ExitCode} instead of listening: {process.Errors}");
            }

            if (Stopwatch.GetElapsedTime(started) > StartLimit)
            {
                process.Dispose();
                throw new BenchException($"{peer.Name} did not listen within {StartLimit.TotalSeconds:0} s: {process.Errors}");
            }

            Thread.Sleep(20);
        }

        return new EchoServer(peer, port, process);
    }

    /// <summary>Throws when the server has died, with what it said; for errors that are only its consequence.</summary>
    public void ThrowIfEnded()
    {
        if (_process.HasExited)
        {
            throw new BenchException($"{Peer.Name} ended with {_process.ExitCode} while it was measured: {_process.Errors}");
        }
    }

    /// <summary>Sends a line to the server's stdin and returns the line it answers with.</summary>
    public string Ask(string question)
    {
        try
        {
            _process.Input.WriteLine(question);
            _process.Input.Flush();
            if (_process.Output.ReadLine() is { } answer)
            {
                return answer;
            }
        }
        catch (IOException)
        {
            // It is gone: said below, with its own words.
        }

        ThrowIfEnded();
        throw new BenchException($"{Peer.Name} does not answer");
    }

    public void Dispose() => _process.Dispose();

    private static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    private static bool Accepts(int port)
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            probe.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
