namespace Weir.Bench.Parts;

/// <summary>The proxies to compare: as peers that listen on a port and pass on to another.</summary>
internal static class Proxies
{
    /// <summary>Weir, and haproxy and nginx where they are installed; each missing one is named on stderr.</summary>
    public static IReadOnlyList<Peer> For(int upstreamPort, string folder)
    {
        var peers = new List<Peer> { Weir(upstreamPort) };
        Add("haproxy", "/usr/sbin/haproxy", program => Haproxy(program, upstreamPort, folder));
        Add("nginx", "/usr/sbin/nginx", program => Nginx(program, upstreamPort, folder));
        return peers;

        void Add(string name, string usual, Func<string, Peer> make)
        {
            if (Find(name, usual) is { } program)
            {
                peers.Add(make(program));
            }
            else
            {
                Report.Remark($"{name} is not installed: measuring without it");
            }
        }
    }

    /// <summary>The path of a program: in PATH, or where Debian puts it, which an ordinary user's PATH lacks.</summary>
    public static string? Find(string name, string usual) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, name)).Append(usual).FirstOrDefault(File.Exists);

    private static Peer Weir(int upstreamPort) => new("weir", (port, _) =>
        ["dotnet", Output.Find("weir", "Weir.Tool.dll"), "proxy", "--listen", $"127.0.0.1:{port}", "--to", $"127.0.0.1:{upstreamPort}", "--stats", "0"]);

    private static Peer Haproxy(string program, int upstreamPort, string folder) => new("haproxy", (port, _) =>
    {
        string file = Write(folder, $"haproxy-{port}.cfg", $"""
            global
                nbthread 1
                maxconn 4096
            defaults
                mode tcp
                timeout connect 5s
                timeout client 1m
                timeout server 1m
            listen proxy
                bind 127.0.0.1:{port}
                server upstream 127.0.0.1:{upstreamPort}
            """);
        return [program, "-db", "-q", "-f", file];
    });

    // Without a master the one process is the worker: one CPU clock to read, and one process to end.
    private static Peer Nginx(string program, int upstreamPort, string folder) => new("nginx", (port, _) =>
    {
        const string Module = "/usr/lib/nginx/modules/ngx_stream_module.so";
        string file = Write(folder, $"nginx-{port}.conf", $$"""
            {{(File.Exists(Module) ? $"load_module {Module};" : "")}}
            daemon off;
            master_process off;
            worker_processes 1;
            pid {{folder}}/nginx-{{port}}.pid;
            error_log stderr error;
            events { worker_connections 4096; }
            stream {
                server {
                    listen 127.0.0.1:{{port}};
                    tcp_nodelay on;
                    proxy_pass 127.0.0.1:{{upstreamPort}};
                }
            }
            """);
        return [program, "-e", "stderr", "-p", folder, "-c", file];
    });

    private static string Write(string folder, string name, string text)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllText(path, text + "\n");
        return path;
    }
}
