using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Weir.Net;

namespace Weir.Tests;

/// <summary>The examples of docs/transport.md. Each runs as a test.</summary>
public class TransportExamples
{
    private static readonly IPEndPoint AnyPort = new(IPAddress.Loopback, 0);

    [Fact]
    public void A_server_and_a_client_on_one_loop()
    {
        string answer = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            using Listener listener = Listener.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // port 0: the kernel chooses
            _ = loop.Spawn(() => listener.AcceptAllAsync(async connection =>
            {
                byte[] buffer = new byte[4096];
                int count;
                while ((count = await connection.ReadAsync(buffer)) > 0)
                    await connection.WriteAsync(buffer.AsMemory(0, count));
            }), "accepting");

            await using Connection client = await Connection.ConnectAsync(listener.LocalEndPoint);
            await client.WriteAsync("hello"u8.ToArray());
            byte[] reply = new byte[5];
            await client.ReadExactlyAsync(reply);
            return Encoding.ASCII.GetString(reply);
        });

        Assert.Equal("hello", answer);
    }

    [Fact]
    public void Half_a_connection_can_be_closed()
    {
        string answer = EventLoop.Run(async () =>
        {
            (Connection client, Connection server) = Connection.CreatePair();
            Task serving = EventLoop.Current!.Spawn(async () =>
            {
                using var reader = new StreamReader(server, leaveOpen: true);
                string question = await reader.ReadToEndAsync(); // until the client's end
                await server.WriteAsync(Encoding.UTF8.GetBytes($"{question.Length} characters"));
                server.Dispose();
            });

            await client.WriteAsync("a question"u8.ToArray());
            client.ShutdownWrite(); // "that was all"; the other direction stays open
            using var answers = new StreamReader(client);
            string text = await answers.ReadToEndAsync();
            await serving;
            return text;
        });

        Assert.Equal("10 characters", answer);
    }

    [Fact]
    public void Connecting_has_a_time_limit()
    {
        string path = Path.Combine(Path.GetTempPath(), $"weir-{Guid.NewGuid():N}.sock");
        Exception? failure = EventLoop.Run(async () =>
        {
            using Listener full = Listener.Bind(new UnixDomainSocketEndPoint(path), new ListenOptions { Backlog = 0 });
            await using Connection first = await Connection.ConnectAsync(full.LocalEndPoint); // the one that fits
            return await Record.ExceptionAsync(async () =>
            {
                var options = new ConnectOptions { Timeout = TimeSpan.FromMilliseconds(50) };
                await using Connection second = await Connection.ConnectAsync(full.LocalEndPoint, options); // TimeoutException
            });
        });

        Assert.IsType<TimeoutException>(failure);
        Assert.False(File.Exists(path)); // the listener removes its path
    }

    [Fact]
    public void A_connection_that_waits_needs_no_buffer()
    {
        int received = EventLoop.Run(async () =>
        {
            (Connection here, Connection there) = Connection.CreatePair();
            await there.WriteAsync("12345"u8.ToArray());
            there.Dispose();

            int total = 0;
            while (true)
            {
                await here.WaitForDataAsync(); // thousands of idle connections, no buffer each
                byte[] buffer = ArrayPool<byte>.Shared.Rent(4096);
                try
                {
                    if (!here.TryRead(buffer, out int count))
                        continue; // woken early
                    if (count == 0)
                        break; // the end
                    total += count;
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }

            here.Dispose();
            return total;
        });

        Assert.Equal(5, received);
    }

    [Fact]
    public void Several_buffers_go_out_with_one_call()
    {
        string received = EventLoop.Run(async () =>
        {
            (Connection here, Connection there) = Connection.CreatePair();
            ReadOnlyMemory<byte> head = "HTTP/1.1 204 No Content\r\n"u8.ToArray();
            ReadOnlyMemory<byte> tail = "\r\n"u8.ToArray();
            await here.WriteAsync([head, tail]); // writev(2)
            here.Dispose();

            using var reader = new StreamReader(there);
            return await reader.ReadToEndAsync();
        });

        Assert.Equal("HTTP/1.1 204 No Content\r\n\r\n", received);
    }

    [Fact]
    public void Pipelines_work_on_a_connection()
    {
        string? line = EventLoop.Run(async () =>
        {
            (Connection here, Connection there) = Connection.CreatePair();
            await there.WriteAsync("first line\nsecond"u8.ToArray());

            PipeReader input = PipeReader.Create(here);
            string? found = null;
            while (found == null)
            {
                ReadResult read = await input.ReadAsync();
                if (read.Buffer.PositionOf((byte)'\n') is { } end)
                {
                    found = Encoding.UTF8.GetString(read.Buffer.Slice(0, end));
                    input.AdvanceTo(read.Buffer.GetPosition(1, end));
                }
                else
                {
                    input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                }
            }

            await input.CompleteAsync(); // disposes the connection
            there.Dispose();
            return found;
        });

        Assert.Equal("first line", line);
    }

    [Fact]
    public void Tls_is_the_frameworks()
    {
        using X509Certificate2 certificate = SelfSigned();
        string received = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            (Connection near, Connection far) = Connection.CreatePair();
            Task serving = loop.Spawn(async () =>
            {
                await using var secure = new SslStream(far);
                await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate });
                await secure.WriteAsync("secret"u8.ToArray());
                await secure.ShutdownAsync();
            });

            await using var client = new SslStream(near);
            await client.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "example.test",
                RemoteCertificateValidationCallback = (_, presented, _, _) => presented!.GetCertHashString() == certificate.GetCertHashString(),
            });
            using var reader = new StreamReader(client);
            string text = await reader.ReadToEndAsync();
            await serving;
            Assert.True(loop.IsCurrent);
            return text;
        });

        Assert.Equal("secret", received);
    }

    [Fact]
    public void HttpClient_speaks_over_the_loops_connections()
    {
        string body = EventLoop.Run(async () =>
        {
            EventLoop loop = EventLoop.Current!;
            using Listener listener = Listener.Bind(AnyPort);
            _ = loop.Spawn(() => listener.AcceptAllAsync(AnswerOnce));

            using var handler = new SocketsHttpHandler
            {
                // Called on a thread of the pool: InvokeAsync brings it to the loop.
                ConnectCallback = async (context, token) => await loop.InvokeAsync(
                    () => Connection.ConnectAsync(context.DnsEndPoint, cancellationToken: token)),
            };
            using var http = new HttpClient(handler);
            return await http.GetStringAsync($"http://{listener.LocalEndPoint}/");
        });

        Assert.Equal("hello", body);

        static async Task AnswerOnce(Connection connection)
        {
            byte[] request = new byte[4096];
            await connection.ReadAtLeastAsync(request, 1);
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"u8.ToArray());
        }
    }

    [Fact]
    public void Several_loops_share_a_port()
    {
        int port = 0;
        using var served = new CountdownEvent(2);
        var threads = new Thread[2];
        var loops = new EventLoop[2];
        using var bound = new SemaphoreSlim(0);
        for (int i = 0; i < threads.Length; i++)
        {
            int number = i;
            threads[i] = new Thread(() => EventLoop.Run(async () =>
            {
                EventLoop loop = loops[number] = EventLoop.Current!;
                using Listener listener = Listener.Bind(
                    new IPEndPoint(IPAddress.Loopback, port), new ListenOptions { ReusePort = true });
                port = ((IPEndPoint)listener.LocalEndPoint).Port;
                bound.Release();
                await listener.AcceptAllAsync(connection => Serve(connection), loop.Stopping); // one of the loops gets each connection
            }));
            threads[i].Start();
            bound.Wait(); // the next one binds to the port of the first
        }

        for (int i = 0; i < 2; i++)
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, port);
        }

        Assert.True(served.Wait(TimeSpan.FromSeconds(10)));
        foreach (EventLoop loop in loops)
            loop.Stop();
        foreach (Thread thread in threads)
            thread.Join();

        Task Serve(Connection connection)
        {
            served.Signal();
            return Task.CompletedTask;
        }
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=example.test", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    [Fact]
    public void What_was_received_is_passed_on()
    {
        string arrived = EventLoop.Run(async () =>
        {
            (Connection source, Connection from) = Connection.CreatePair();
            (Connection to, Connection target) = Connection.CreatePair();
            using (source)
            using (from)
            using (to)
            using (target)
            {
                await source.WriteAsync("passed on"u8.ToArray());
                source.ShutdownWrite();
                await Relay(from, to);
                using var reader = new StreamReader(target);
                return await reader.ReadToEndAsync();
            }
        });

        Assert.Equal("passed on", arrived);
    }

    private static async Task Relay(Connection from, Connection to)
    {
        while (true)
        {
            await from.WaitForDataAsync();
            if (!from.TryReceive(out ReceivedBuffer buffer))
                continue; // somebody else was faster
            if (buffer.Length == 0)
                break; // the end
            await to.SendAsync(buffer);
        }

        to.ShutdownWrite();
    }
}
