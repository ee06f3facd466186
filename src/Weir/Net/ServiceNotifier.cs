using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Weir.Net;

/// <summary>
/// Tells the service manager how this process does, by the protocol of sd_notify(3): that it is ready, that it ends, what it is at, that it is alive.
/// Without a service manager it does nothing, so that it can be used always.
/// </summary>
/// <remarks>
/// Any thread. A message is one datagram, sent without waiting. What is told is told on a best-effort basis: a service does not fail because its manager
/// is away for a moment, so members return whether the message was delivered, and throw for bad arguments only.
/// </remarks>
public sealed class ServiceNotifier
{
    private readonly Kernel _kernel;
    private readonly UnixDomainSocketEndPoint? _address;

    private ServiceNotifier(Kernel kernel, UnixDomainSocketEndPoint? address, TimeSpan watchdog)
    {
        _kernel = kernel;
        _address = address;
        WatchdogInterval = watchdog;
    }

    /// <summary>Whether a service manager listens: NOTIFY_SOCKET was set.</summary>
    public bool IsActive => _address != null;

    /// <summary>
    /// The service manager takes this process for dead if <see cref="Watchdog"/> was not called for so long: WatchdogSec= of systemd.service(5). Zero: it
    /// does not watch.
    /// </summary>
    public TimeSpan WatchdogInterval { get; }

    /// <summary>A notifier for the service manager that the environment names: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.</summary>
    /// <param name="unset">Whether to remove the variables afterwards, so that children do not speak for this process. Defaults to true.</param>
    /// <exception cref="InvalidOperationException">A variable makes no sense, or names a kind of socket other than unix.</exception>
    public static ServiceNotifier FromEnvironment(bool unset = true)
    {
        try
        {
            return Read(EventLoop.Current?.Kernel ?? Kernel.Linux, Environment.ProcessId, Environment.GetEnvironmentVariable);
        }
        finally
        {
            if (unset)
            {
                foreach (string variable in new[] { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" })
                    Environment.SetEnvironmentVariable(variable, null);
            }
        }
    }

    internal static ServiceNotifier Read(Kernel kernel, int processId, Func<string, string?> variable)
    {
        if (variable("NOTIFY_SOCKET") is not { Length: > 0 } socket)
            return new ServiceNotifier(kernel, null, TimeSpan.Zero);
        if (socket.Length < 2 || socket[0] is not ('/' or '@'))
            throw new InvalidOperationException($"The environment variable NOTIFY_SOCKET is '{socket}' and should be an absolute path or an abstract name that begins with @.");
        var address = new UnixDomainSocketEndPoint(socket[0] == '@' ? "\0" + socket[1..] : socket);

        TimeSpan watchdog = TimeSpan.Zero;
        if (variable("WATCHDOG_USEC") is { Length: > 0 } microseconds
            && (variable("WATCHDOG_PID") is not { Length: > 0 } watched || Number("WATCHDOG_PID", watched) == processId))
        {
            watchdog = TimeSpan.FromMicroseconds(Number("WATCHDOG_USEC", microseconds));
        }

        return new ServiceNotifier(kernel, address, watchdog);
    }

    private static long Number(string name, string text)
        => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw new InvalidOperationException($"The environment variable {name} is '{text}' and should be a number (sd_watchdog_enabled(3)).");

    /// <summary>READY=1: the service has started, or has read its configuration again. With a line on what it is at, if wanted.</summary>
    public bool Ready(string? status = null) => Notify(status == null ? "READY=1" : "READY=1\n" + StatusLine(status));

    /// <summary>STOPPING=1: the service has begun to end.</summary>
    public bool Stopping() => Notify("STOPPING=1");

    /// <summary>STATUS=: one line on what the service is at, for `systemctl status`.</summary>
    /// <exception cref="ArgumentException">More than one line.</exception>
    public bool Status(string status) => Notify(StatusLine(status));

    /// <summary>WATCHDOG=1: the service is alive.</summary>
    public bool Watchdog() => Notify("WATCHDOG=1");

    /// <summary>
    /// Says on the current loop that the service is alive, twice in each <see cref="WatchdogInterval"/>, until cancelled; ends at once if nobody watches.
    /// A loop that hangs says nothing, which is the point.
    /// </summary>
    public async Task RunWatchdogAsync(CancellationToken cancellationToken)
    {
        EventLoop loop = EventLoop.Required;
        if (WatchdogInterval <= TimeSpan.Zero)
            return;
        try
        {
            while (true)
            {
                Watchdog();
                await loop.Delay(WatchdogInterval / 2, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // As was asked for.
        }
        catch (ObjectDisposedException)
        {
            // The loop has ended first.
        }
    }

    /// <summary>Sends assignments, one a line, as sd_notify(3) lists them. False: nobody listens, or it could not be delivered now.</summary>
    public unsafe bool Notify(string state)
    {
        ArgumentException.ThrowIfNullOrEmpty(state);
        if (_address == null)
            return false;
        int fd = _kernel.Socket(SocketDomain.Unix, SocketKind.Datagram, 0);
        if (fd < 0)
            return false;
        byte[] text = Encoding.UTF8.GetBytes(state);
        RawSocketAddress address = RawSocketAddress.From(_address);
        nint result;
        fixed (byte* bytes = text)
        {
            var vector = new IoVector { Base = bytes, Length = (nuint)text.Length };
            var message = new MessageHeader { Name = address.Pointer, NameLength = address.Length, Vectors = &vector, VectorCount = 1 };
            do
                result = _kernel.SendMessage(fd, &message, MessageFlags.DontWait | MessageFlags.NoSignal);
            while (result == -(int)Errno.EINTR);
        }

        _kernel.Close(fd);
        return result == text.Length;
    }

    private static string StatusLine(string status)
    {
        ArgumentNullException.ThrowIfNull(status);
        return status.Contains('\n') ? throw new ArgumentException("A status is one line.", nameof(status)) : "STATUS=" + status;
    }
}
