using System.Text;
using Weir.Net;

namespace Weir.Tool.Commands;

/// <summary>The service manager that the environment names. What is wrong there is told, and is no reason not to serve.</summary>
internal static class ServiceManager
{
    private const string Socket = "NOTIFY_SOCKET";

    /// <summary>A notifier for the service manager; without its watchdog, or for nobody, if the variables for it make no sense.</summary>
    internal static ServiceNotifier FromEnvironment(string command)
    {
        string? socket = Environment.GetEnvironmentVariable(Socket);
        try
        {
            return Read(socket);
        }
        catch (Exception exception) when (MakesNoSense(exception))
        {
            string message = exception.Message.Split('\n')[0];
            CommandLine.Tell($"weir {command}: the service manager is not told all: {message}");
        }

        // The variables have been removed. If those of the watchdog were to blame, the manager can be told of the start at least.
        try
        {
            Environment.SetEnvironmentVariable(Socket, socket);
            return Read(socket);
        }
        catch (Exception exception) when (MakesNoSense(exception))
        {
            return ServiceNotifier.FromEnvironment();
        }
    }

    private static ServiceNotifier Read(string? socket)
    {
        ServiceNotifier notifier = ServiceNotifier.FromEnvironment();
        return socket == null || Encoding.UTF8.GetByteCount(socket) <= Address.MostPathBytes
            ? notifier
            : throw new InvalidOperationException($"The environment variable {Socket} has more than the {Address.MostPathBytes} bytes of a unix socket's path.");
    }

    private static bool MakesNoSense(Exception exception) => exception is InvalidOperationException or ArgumentException or OverflowException;
}
