#pragma warning disable CA2022 // Whatever part comes is enough here.
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Weir.Net;

namespace Weir.Tests;

/// <summary>What the framework builds on streams works on a connection, and stays on the loop.</summary>
public class FrameworkStreamTests : NetTestBase
{
    [Fact]
    public void Text_readers_and_writers() => Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            var writer = new StreamWriter(client, new UTF8Encoding(false)) { NewLine = "\n" };
            using var reader = new StreamReader(server, leaveOpen: true);
            Task<string?> waiting = reader.ReadLineAsync();
            await writer.WriteLineAsync("grüezi");
            await writer.FlushAsync();
            Assert.Equal("grüezi", await waiting);
            await writer.WriteAsync("the\nrest");
            await writer.FlushAsync();
            client.ShutdownWrite();
            Assert.Equal("the\nrest", await reader.ReadToEndAsync());
            Assert.Same(loop, EventLoop.Current);
            Assert.Equal(0, Statistics.HopsOffLoop);
        }
    });

    [Fact]
    public void Pipes() => Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            PipeWriter writer = PipeWriter.Create(client, new StreamPipeWriterOptions(leaveOpen: true));
            PipeReader reader = PipeReader.Create(server, new StreamPipeReaderOptions(leaveOpen: true, useZeroByteReads: true));
            byte[] payload = Pattern(300_000);
            Task writing = Write();
            long place = 0;
            while (true)
            {
                ReadResult result = await reader.ReadAsync();
                foreach (ReadOnlyMemory<byte> part in result.Buffer)
                {
                    Assert.True(payload.AsSpan((int)place, part.Length).SequenceEqual(part.Span));
                    place += part.Length;
                }

                reader.AdvanceTo(result.Buffer.End);
                Assert.Same(loop, EventLoop.Current);
                if (result.IsCompleted)
                    break;
            }

            await writing;
            Assert.Equal(payload.Length, place);
            await reader.CompleteAsync();
            Assert.Equal(0, Statistics.HopsOffLoop);

            async Task Write()
            {
                for (int at = 0; at < payload.Length; at += 10_000)
                    await writer.WriteAsync(payload.AsMemory(at, 10_000));
                await writer.CompleteAsync();
                client.ShutdownWrite();
            }
        }
    });

    [Fact]
    public void Copying_from_one_connection_to_another() => Run(async () =>
    {
        (Connection client, Connection inner) = await TcpPair();
        (Connection outer, Connection server) = await UnixPair();
        using (client)
        using (inner)
        using (outer)
        using (server)
        {
            byte[] payload = Pattern(2_000_000);
            Task relay = Relay();
            Task writing = Write();
            using var received = new MemoryStream();
            await server.CopyToAsync(received);
            await Task.WhenAll(relay, writing);
            Assert.True(payload.AsSpan().SequenceEqual(received.ToArray()));
            Assert.Equal(0, Statistics.HopsOffLoop);

            async Task Relay()
            {
                await inner.CopyToAsync(outer);
                outer.ShutdownWrite();
            }

            async Task Write()
            {
                await client.WriteAsync(payload);
                client.ShutdownWrite();
            }
        }
    });

    [ThreadedFact]
    public void Tls_both_ways_on_the_loops_thread() => Run(async () =>
    {
        const int Size = 1 << 20;
        EventLoop loop = EventLoop.Current!;
        using X509Certificate2 certificate = MakeCertificate();
        (Connection client, Connection server) = await TcpPair();
        using var secureClient = new SslStream(client);
        using var secureServer = new SslStream(server);
        Task serving = secureServer.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate });
        await secureClient.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "weir.test",
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            RemoteCertificateValidationCallback = (_, presented, _, _) => presented!.GetCertHashString() == certificate.GetCertHashString(),
        });
        await serving;
        byte[] payload = Pattern(Size);
        await Task.WhenAll(Send(secureClient), Send(secureServer), Receive(secureClient), Receive(secureServer));
        Assert.Equal(0, Statistics.HopsOffLoop);

        async Task Send(SslStream stream)
        {
            for (int at = 0; at < Size; at += 1 << 16)
            {
                await stream.WriteAsync(payload.AsMemory(at, 1 << 16));
                Assert.Same(loop, EventLoop.Current);
            }
        }

        async Task Receive(SslStream stream)
        {
            byte[] received = new byte[Size];
            for (int at = 0; at < Size;)
            {
                at += await stream.ReadAsync(received.AsMemory(at));
                Assert.Same(loop, EventLoop.Current);
            }

            Assert.True(payload.AsSpan().SequenceEqual(received));
        }
    });

    [ThreadedFact]
    public void HttpClient_from_the_loop_and_from_other_threads() => Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        using Listener listener = Listener.Bind(AnyPort);
        Task all = listener.AcceptAllAsync(Respond);
        EndPoint at = listener.LocalEndPoint;
        // The handler may connect from any thread: the connection is made on the loop.
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) => await loop.InvokeAsync(() => Connection.ConnectAsync(at, null, cancellation)),
        };
        using (var http = new HttpClient(handler) { BaseAddress = new Uri("http://weir.test/") })
        {
            for (int i = 0; i < 5; i++)
            {
                Assert.Equal($"/on-loop-{i}", await http.GetStringAsync($"on-loop-{i}"));
                Assert.Same(loop, EventLoop.Current);
            }

            await Task.WhenAll(Enumerable.Range(0, 8).Select(who => Task.Run(async () =>
            {
                for (int i = 0; i < 5; i++)
                {
                    Assert.Equal($"/{who}-{i}", await http.GetStringAsync($"{who}-{i}"));
                    Assert.Null(EventLoop.Current);
                }
            })));
        }

        listener.Dispose();
        await all;
    });

    [ThreadedFact]
    public void Synchronous_reads_and_writes_from_another_thread() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            Task echo = Task.Run(() =>
            {
                byte[] buffer = new byte[5];
                server.ReadExactly(buffer);
                server.Write(buffer);
                server.Flush();
                Assert.Equal(-1, server.ReadByte());
            });
            await client.WriteAsync(Bytes("hello"));
            Assert.Equal("hello", await ReadText(client, 5));
            client.ShutdownWrite();
            await echo;
        }
    });

    [ThreadedFact]
    public void Operations_from_another_thread_start_in_call_order_and_resume_there() => Run(async () =>
    {
        EventLoop loop = EventLoop.Current!;
        (Connection client, Connection server) = await TcpPair();
        using (client)
        using (server)
        {
            await Task.Run(async () =>
            {
                byte[] buffer = new byte[4];
                for (int i = 0; i < 200; i++)
                {
                    ValueTask<int> reading = server.ReadAsync(buffer);
                    ValueTask writing = client.WriteAsync(BitConverter.GetBytes(i));
                    await writing;
                    int count = await reading;
                    Assert.Null(EventLoop.Current);
                    await server.ReadExactlyAsync(buffer.AsMemory(count));
                    Assert.Equal(i, BitConverter.ToInt32(buffer));
                }

                Assert.Throws<InvalidOperationException>(() => server.TryRead(buffer, out _));
                Assert.Throws<InvalidOperationException>(() => server.TryWrite(buffer));
                await Assert.ThrowsAsync<InvalidOperationException>(async () => await server.PeekAsync(buffer));
                Assert.Throws<InvalidOperationException>(() => { _ = server.WriteAsync([buffer, buffer]).AsTask(); });
                Assert.Throws<InvalidOperationException>(() => server.ReleaseDescriptor());
            });
            Assert.Same(loop, EventLoop.Current);
        }
    });

    [ThreadedFact]
    public void A_read_begun_on_the_loop_may_be_awaited_on_another_thread() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using (client)
        using (server)
        {
            byte[] buffer = new byte[1];
            for (int i = 0; i < 500; i++)
            {
                ValueTask<int> reading = server.ReadAsync(buffer);
                Task<int> elsewhere = Task.Run(async () => await reading);
                await client.WriteAsync(new byte[1]);
                Assert.Equal(1, await elsewhere);
            }
        }
    });

    [ThreadedFact]
    public void Abort_from_another_thread_resets_the_peer() => Run(async () =>
    {
        (Connection client, Connection server) = await TcpPair();
        using (server)
        {
            await Task.Run(client.Abort);
            Assert.Equal(Errno.ECONNRESET, (await Assert.ThrowsAsync<KernelException>(async () => await server.ReadAsync(new byte[1]))).Errno);
        }
    });

    /// <summary>HTTP/1.1 as far as a GET without a body needs it: the answer is the path.</summary>
    private static async Task Respond(Connection connection)
    {
        using var reader = new StreamReader(connection, Encoding.ASCII);
        while (await reader.ReadLineAsync() is { } request)
        {
            while (await reader.ReadLineAsync() is { Length: > 0 })
            {
            }

            string path = request.Split(' ')[1];
            await connection.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {path.Length}\r\n\r\n{path}"));
        }
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=weir.test", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}
