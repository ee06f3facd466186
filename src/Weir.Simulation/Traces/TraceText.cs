namespace Weir.Simulation;

/// <summary>Steps as people read them.</summary>
internal static class TraceText
{
    /// <summary>Virtual time since the beginning, in seconds.</summary>
    internal static string Time(long time) => $"{(time - SimClock.Start) / 1_000_000_000}.{(time - SimClock.Start) % 1_000_000_000:000000000}";

    /// <summary>What happened, without when and to whom.</summary>
    internal static string Of(in Step step) => step.Kind switch
    {
        StepKind.Call => $"{Call(step.Call, step.Fd, null)} = {Result(step.Call, step.Result)}",
        StepKind.Entered => $"{Call(step.Call, step.Fd, null)} ...",
        StepKind.Woken => $"wakes {((SimThread)step.Subject!).Name}",
        StepKind.Queued when step.Subject is EpollItem item => $"fd {item.Fd} {item.File.Kind} is queued in epoll #{item.Epoll.Number}",
        StepKind.Delivered when step.Subject is EpollItem item => $"fd {item.Fd} {item.File.Kind} is delivered by epoll #{item.Epoll.Number}: {Mask(step.Events)}",
        StepKind.Released => $"{step.Subject} is gone",
        _ => $"{step.Subject}",
    };

    /// <summary>The call and its descriptor: "read(fd 7 eventfd)".</summary>
    internal static string Call(SystemCall call, int fd, string? kind)
        => fd < 0 ? $"{call.ManName()}()" : kind == null ? $"{call.ManName()}(fd {fd})" : $"{call.ManName()}(fd {fd} {kind})";

    /// <summary>What it returned: a number, an errno's name, a descriptor.</summary>
    internal static string Result(SystemCall call, long result)
        => result < 0 ? ((Errno)(-result)).ToString() : ReturnsDescriptor(call) ? $"fd {result}" : result.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A mask by the names of epoll_ctl(2).</summary>
    internal static string Mask(EpollEvents events) => events.ToString().ToUpperInvariant().Replace(", ", "|", StringComparison.Ordinal);

    internal static bool ReturnsDescriptor(SystemCall call) => call
        is SystemCall.Open or SystemCall.Dup3 or SystemCall.Socket or SystemCall.Accept4 or SystemCall.EpollCreate1 or SystemCall.EventFd
        or SystemCall.TimerFdCreate or SystemCall.SignalFd or SystemCall.PidFdOpen or SystemCall.InotifyInit;
}
