using System.CommandLine;

namespace Weir.Bench.Parts;

/// <summary>The option that says how weir waits, and weir's own servers for it.</summary>
internal sealed class Driver
{
    public static Option<string> Option { get; } = Make("How weir waits: auto, epoll or iouring.", "auto", "epoll", "iouring");

    private readonly string _name;

    private Driver(string name, string label)
    {
        _name = name;
        Weir = new Peer(label, (port, buffer) => [.. Echo(port), "--buffer", $"{buffer}"]);
        WeirAuto = new Peer($"{label} auto", (port, _) => Echo(port));
        WeirSpin = new Peer($"{label} --spin 50", (port, buffer) => [.. Echo(port), "--buffer", $"{buffer}", "--spin", "50"]);
    }

    public Peer Weir { get; }

    /// <summary>With the buffer that Weir chooses when nobody says.</summary>
    public Peer WeirAuto { get; }

    public Peer WeirSpin { get; }

    /// <summary>What <see cref="Option"/> asked for; as the command line of weir spells it.</summary>
    public static Driver In(ParseResult arguments) => new(arguments.GetValue(Option)!, "weir");

    /// <summary>For tables that have weir in them twice.</summary>
    public static Driver Named(string name) => new(name, $"weir {name}");

    /// <summary>Whether io_uring was asked for, and nothing but it will do.</summary>
    public bool IsUring => _name == "iouring";

    /// <summary>As the loop's options spell it.</summary>
    public static DriverKind Kind(string name) => name switch
    {
        "epoll" => DriverKind.Epoll,
        "iouring" => DriverKind.IoUring,
        _ => DriverKind.Auto,
    };

    /// <summary>The C program on io_uring, where it could be built; a missing one is named on stderr.</summary>
    public static Peer[] CUring
    {
        get
        {
            if (Output.Exists("peers", "c-uring"))
            {
                return [Peer.CUring];
            }

            Report.Remark("c-uring could not be built (Debian: liburing-dev): measuring without it");
            return [];
        }
    }

    public override string ToString() => _name;

    /// <summary>An option with one of a few words, of which the first is the default.</summary>
    public static Option<string> Make(string description, params string[] words)
    {
        var option = new Option<string>("--driver") { Description = description, DefaultValueFactory = _ => words[0] };
        option.AcceptOnlyFromAmong(words);
        return option;
    }

    private IReadOnlyList<string> Echo(int port) =>
        ["dotnet", Output.Find("weir", "Weir.Tool.dll"), "echo", "--listen", $"127.0.0.1:{port}", "--driver", _name];
}
