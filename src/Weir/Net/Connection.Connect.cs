using System.Net;
using System.Net.Sockets;

namespace Weir.Net;

public sealed partial class Connection
{
    /// <summary>
    /// Connects to an <see cref="IPEndPoint"/>, a <see cref="UnixDomainSocketEndPoint"/>, or a <see cref="DnsEndPoint"/> (each address of the
    /// name in turn), on the current loop.
    /// </summary>
    /// <exception cref="KernelException">ECONNREFUSED, ENOENT (unix), ETIMEDOUT and the like; of the last address tried.</exception>
    /// <exception cref="TimeoutException">The options' timeout has passed.</exception>
    /// <exception cref="SocketException">The name cannot be resolved.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is left open.</exception>
    /// <exception cref="ObjectDisposedException">The loop has stopped meanwhile.</exception>
    public static async ValueTask<Connection> ConnectAsync(EndPoint endPoint, ConnectOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        EventLoop loop = EventLoop.Required;
        options ??= new ConnectOptions();
        cancellationToken.ThrowIfCancellationRequested();
        if (options.Timeout == Timeout.InfiniteTimeSpan)
            return await ConnectToAny(loop, endPoint, options, cancellationToken);

        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using ITimer timer = loop.TimeProvider.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), limited, options.Timeout, Timeout.InfiniteTimeSpan);
        try
        {
            return await ConnectToAny(loop, endPoint, options, limited.Token);
        }
        catch (OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new TimeoutException($"connect({endPoint}): no answer within {options.Timeout.TotalSeconds:0.###} s.");
        }
    }

    private static async ValueTask<Connection> ConnectToAny(EventLoop loop, EndPoint endPoint, ConnectOptions options, CancellationToken cancellationToken)
    {
        if (endPoint is not DnsEndPoint name)
            return await ConnectTo(loop, endPoint, options, cancellationToken);
        // Resolving is the framework's; it runs on the thread pool, and the await brings us back where the loop's context is installed. The resolver
        // itself cannot be cancelled once it runs, so it is the wait that ends.
        IPAddress[] addresses = await System.Net.Dns.GetHostAddressesAsync(name.Host, name.AddressFamily, cancellationToken).WaitAsync(cancellationToken);
        await new ReturnAwaitable(loop);
        ObjectDisposedException.ThrowIf(!loop.IsCurrent, loop); // it has stopped meanwhile
        KernelException? last = null;
        foreach (IPAddress address in addresses)
        {
            try
            {
                return await ConnectTo(loop, new IPEndPoint(address, name.Port), options, cancellationToken);
            }
            catch (KernelException exception)
            {
                last = exception;
            }
        }

        throw last ?? new KernelException($"connect({name.Host})", -1, Errno.EADDRNOTAVAIL);
    }

    private static async ValueTask<Connection> ConnectTo(EventLoop loop, EndPoint endPoint, ConnectOptions options, CancellationToken cancellationToken)
    {
        int fd = OpenFor(loop.Kernel, endPoint, options, out DescriptorKind kind);
        int result;
        try
        {
            BackOff pauses = BackOff.FullUnixPeer;
            // A unix listener whose backlog is full says EAGAIN, and nothing tells when there is room again (connect(2)).
            while ((result = Connect(loop.Kernel, fd, endPoint)) == -(int)Errno.EAGAIN)
                await loop.Delay(pauses.Next(), cancellationToken);
        }
        catch
        {
            loop.Kernel.Close(fd);
            throw;
        }

        if (result < 0 && result != -(int)Errno.EINPROGRESS)
        {
            loop.Kernel.Close(fd);
            throw new KernelException($"connect({endPoint})", fd, (Errno)(-result));
        }

        // In progress: nothing is ready until the event says so.
        var connection = new Connection(loop, fd, kind, result == 0 ? EpollEvents.Out : EpollEvents.None);
        if (result == 0)
            return connection;
        try
        {
            await connection.WaitWritableAsync(cancellationToken);
            int error = connection.GetOption(SocketLevel.Socket, SocketOption.SocketError);
            return error == 0 ? connection : throw new KernelException($"connect({endPoint})", fd, (Errno)error);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static unsafe int OpenFor(Kernel kernel, EndPoint endPoint, ConnectOptions options, out DescriptorKind kind)
    {
        RawSocketAddress address = RawSocketAddress.From(endPoint);
        kind = address.Domain == SocketDomain.Unix ? DescriptorKind.Socket : DescriptorKind.Tcp;
        int fd = SocketCalls.Open(kernel, address.Domain);
        try
        {
            if (kind == DescriptorKind.Tcp && options.NoDelay)
                SocketCalls.SetOption(kernel, fd, SocketLevel.Tcp, SocketOption.TcpNoDelay, 1);
            if (options.LocalEndPoint != null)
            {
                RawSocketAddress local = RawSocketAddress.From(options.LocalEndPoint);
                KernelException.Check(kernel.Bind(fd, local.Pointer, local.Length), $"bind({options.LocalEndPoint})", fd);
            }

            return fd;
        }
        catch
        {
            kernel.Close(fd);
            throw;
        }
    }

    private static unsafe int Connect(Kernel kernel, int fd, EndPoint endPoint)
    {
        RawSocketAddress address = RawSocketAddress.From(endPoint);
        return kernel.Connect(fd, address.Pointer, address.Length);
    }
}
