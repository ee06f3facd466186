using System.Net;
using Weir.Tool.Proxy;
using Weir.Tool.Tests.Support;

namespace Weir.Tool.Tests.Programs;

public class WebTests
{
    [WebFact]
    public async Task A_web_server_behind_it_serves_a_load_generator_and_large_files()
    {
        string folder = Directory.CreateTempSubdirectory("weir-web-").FullName;
        byte[] file = Transfer.Random(20 << 20);
        await File.WriteAllBytesAsync(Path.Combine(folder, "large"), file);
        await File.WriteAllTextAsync(Path.Combine(folder, "index.html"), "hello");
        try
        {
            using var nginx = new ServerProgram(port =>
            {
                File.WriteAllText(Path.Combine(folder, "nginx.conf"), $$"""
                    daemon off;
                    master_process off;
                    pid {{folder}}/nginx.pid;
                    error_log stderr error;
                    events { worker_connections 512; }
                    http {
                        access_log off;
                        client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy; fastcgi_temp_path {{folder}}/fastcgi; uwsgi_temp_path {{folder}}/uwsgi; scgi_temp_path {{folder}}/scgi;
                        server { listen 127.0.0.1:{{port}}; root {{folder}}; }
                    }
                    """);
                return ["nginx", "-e", "stderr", "-p", folder, "-c", Path.Combine(folder, "nginx.conf")];
            });
            using var proxy = new ProxyHost(new ProxyOptions { Upstreams = [ProxyHost.To(nginx.EndPoint)] });
            string address = $"http://{proxy.EndPoint}/";
            string output = ServerProgram.RunToEnd("wrk", "-t", "1", "-c", "20", "-d", "1s", address);
            Assert.Matches("[1-9][0-9]* requests in", output);
            Assert.DoesNotContain("Socket errors", output, StringComparison.Ordinal);
            Assert.DoesNotContain("Non-2xx", output, StringComparison.Ordinal);
            using var http = new HttpClient();
            Assert.True(Transfer.Same(file, await http.GetByteArrayAsync(address + "large")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
