using System.Diagnostics.Tracing;

namespace Weir;

/// <summary>What the process is told once about how files are read and written: the event source "Weir.Files".</summary>
[EventSource(Name = "Weir.Files")]
internal sealed class FileEvents : EventSource
{
    private const int FallbackId = 1;

    private int _reported;

    private FileEvents()
    {
    }

    internal static FileEvents Log { get; } = new();

    /// <summary>io_uring cannot be had. Said once in a process, by the first loop that finds out; the statistics of each loop say it too.</summary>
    [NonEvent]
    internal void ReportFallback(string backend, string reason)
    {
        if (_reported == 0 && Interlocked.Exchange(ref _reported, 1) == 0)
            Fallback(backend, reason);
    }

    [Event(FallbackId, Level = EventLevel.Warning, Message = "Files are read and written by {0}, not by io_uring: {1}")]
    private void Fallback(string backend, string reason) => WriteEvent(FallbackId, backend, reason);
}
