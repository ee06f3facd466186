using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Net;

namespace Weir.Tests;

/// <summary>
/// What the socket tests share. The kernel and the loop's options come from here only, so that the same tests run on another kernel.
/// After each run all descriptors given out must be closed, each once, and no operation may be waiting.
/// </summary>
public abstract class NetTestBase : IDisposable
{
    private readonly List<string> _paths = [];
    private TestBed? _bed;
    private LedgerKernel? _door;

    /// <summary>The kernel the loops run on, with its books.</summary>
    protected LedgerKernel Door => _door ??= MakeDoor();

    /// <summary>Where the loops run.</summary>
    private TestBed Bed => _bed ??= MakeBed();

    /// <summary>The kernel that does the work.</summary>
    protected Kernel InnerKernel => Bed.Kernel;

    protected virtual TestBed MakeBed() => new();

    protected virtual LedgerKernel MakeDoor() => new(InnerKernel);

    protected virtual LoopOptions MakeOptions() => new() { Kernel = Door, Name = GetType().Name, Driver = Bed.Driver };

    /// <summary>Runs <paramref name="body"/> on a loop and looks at the books afterwards.</summary>
    protected void Run(Func<Task> body, Action<LoopOptions>? configure = null)
    {
        LoopOptions options = MakeOptions();
        configure?.Invoke(options);
        Bed.Run(
            async () =>
            {
                EventLoop loop = EventLoop.Current!;
                await body();
                // What was disposed from elsewhere, or by a task that is about to end, goes in the next turns.
                await Until(() => loop.Statistics is { Descriptors: 0, WaitingReaders: 0, WaitingWriters: 0, Tasks: 0 });
            },
            options);
        CheckBooks();
    }

    /// <summary>Runs <paramref name="body"/> on a loop that may end with descriptors still in its care.</summary>
    protected void RunAbandoning(Func<Task> body, Action<LoopOptions>? configure = null)
    {
        LoopOptions options = MakeOptions();
        configure?.Invoke(options);
        Bed.Run(body, options);
        CheckBooks();
    }

    /// <summary>Writes until the kernel refuses: at once, or after the turn in which the first bytes were handed to it.</summary>
    protected static async Task<Errno> RefusalOfWrites(Func<ValueTask> write)
    {
        KernelException refusal = await Assert.ThrowsAsync<KernelException>(async () =>
        {
            for (int i = 0; i < 10; i++)
            {
                await write();
                await EventLoop.Yield();
            }
        });
        return refusal.Errno;
    }

    protected void CheckBooks()
    {
        Assert.Empty(Door.OpenNow);
        Assert.Empty(Door.Faults);
    }

    /// <summary>Lets the loop turn until <paramref name="condition"/> holds; the run's limit of time is the only other way out.</summary>
    protected static async Task Until(Func<bool> condition)
    {
        while (!condition())
            await EventLoop.Yield();
    }

    protected static LoopStatistics Statistics => EventLoop.Current!.Statistics;

    protected static IPEndPoint AnyPort => new(IPAddress.Loopback, 0);

    /// <summary>
    /// An address that no other test listens on or connects from, for what must hold of it while nobody listens there.
    /// </summary>
    protected static IPEndPoint OwnAddress => new(new IPAddress([127, 43, (byte)Interlocked.Increment(ref s_ownAddresses), 1]), 0);

    private static int s_ownAddresses;

    /// <summary>A path that no test used before; what is there at the end of the test is removed.</summary>
    protected string NewPath()
    {
        string path = Path.Combine(Path.GetTempPath(), $"weir-{Guid.NewGuid():N}");
        _paths.Add(path);
        return path;
    }

    protected static UnixDomainSocketEndPoint NewAbstractName() => new($"\0weir-{Guid.NewGuid():N}");

    protected static Task<(Connection Client, Connection Server)> TcpPair() => Pair(AnyPort);

    protected Task<(Connection Client, Connection Server)> UnixPair() => Pair(new UnixDomainSocketEndPoint(NewPath()));

    /// <summary>A pair of the family a theory names.</summary>
    protected Task<(Connection Client, Connection Server)> PairOf(string family) => family switch
    {
        "tcp" => TcpPair(),
        "unix" => UnixPair(),
        "pair" => Task.FromResult(Connection.CreatePair()),
        _ => throw new ArgumentException(family, nameof(family)),
    };

    protected static async Task<(Connection Client, Connection Server)> Pair(EndPoint at)
    {
        using Listener listener = Listener.Bind(at);
        ValueTask<Connection> accepting = listener.AcceptAsync();
        Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
        return (client, await accepting);
    }

    protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    protected static async Task<string> ReadText(Stream stream, int count)
    {
        byte[] buffer = new byte[count];
        await stream.ReadExactlyAsync(buffer);
        return Encoding.UTF8.GetString(buffer);
    }

    /// <summary>Writes without waiting until there is no room left; returns how much that was.</summary>
    protected static int Fill(Connection connection)
    {
        byte[] block = new byte[4096];
        int total = 0, count;
        while ((count = connection.TryWrite(block)) > 0)
            total += count;
        return total;
    }

    /// <summary>As <see cref="Fill"/>, until the kernel is full as well: what a loop has taken over reaches it at the end of a turn, and makes room.</summary>
    protected static async Task<int> FillUp(Connection connection)
    {
        int total = 0, count;
        do
        {
            total += count = Fill(connection);
            for (int turn = 0; turn < 3; turn++)
                await EventLoop.Yield();
        }
        while (count > 0);
        return total;
    }

    /// <summary>Bytes whose value tells their place.</summary>
    protected static byte[] Pattern(int count, int start = 0)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
            bytes[i] = PatternAt(start + i);
        return bytes;
    }

    protected static byte PatternAt(long place) => (byte)((place * 31) ^ (place >> 8) ^ (place >> 16));

    public void Dispose()
    {
        foreach (string path in _paths)
            File.Delete(path);
        GC.SuppressFinalize(this);
    }
}
