using System.Globalization;
using System.Text;

namespace Weir.Simulation;

/// <summary>Steps, masks, times and results as people read them: the one place that words them, for findings and traces alike.</summary>
internal static class StepText
{
    private static readonly (EpollEvents Bit, string Name)[] MaskNames =
    [
        (EpollEvents.In, "IN"), (EpollEvents.Pri, "PRI"), (EpollEvents.Out, "OUT"), (EpollEvents.Err, "ERR"), (EpollEvents.Hup, "HUP"),
        (EpollEvents.RdHup, "RDHUP"), (EpollEvents.RdNorm, "RDNORM"), (EpollEvents.RdBand, "RDBAND"), (EpollEvents.WrNorm, "WRNORM"),
        (EpollEvents.WrBand, "WRBAND"), (EpollEvents.Msg, "MSG"), (EpollEvents.Exclusive, "EXCLUSIVE"), (EpollEvents.WakeUp, "WAKEUP"),
        (EpollEvents.OneShot, "ONESHOT"), (EpollEvents.EdgeTriggered, "ET"),
    ];

    /// <summary>One line: when, which thread, what. <c>0.001200000  main  read(fd 7) = EAGAIN</c></summary>
    internal static string Line(World world, in Step step)
    {
        var line = new StringBuilder();
        line.Append(Moment(step.Time)).Append("  ").Append(ThreadName(world, step.Thread).PadRight(10)).Append("  ");
        return AppendWhat(line, step).ToString();
    }

    /// <summary>What happened in it, without time and thread.</summary>
    internal static string What(in Step step) => AppendWhat(new StringBuilder(), step).ToString();

    private static StringBuilder AppendWhat(StringBuilder line, in Step step) => step.Kind switch
    {
        StepKind.Call => line.Append(Call(step.Call, step.Fd, null, (EpollOp)(int)step.Events)).Append(" = ").Append(Result(step.Call, step.Result)),
        StepKind.Entered => line.Append(Call(step.Call, step.Fd, null)).Append(" ..."),
        StepKind.Woken => line.Append("  wakes ").Append(((SimThread)step.Subject!).Name),
        StepKind.Queued => line.Append("  queued in ").Append(EpollOf(step.Subject)).Append(": ").Append(ItemOf(step.Subject)),
        StepKind.Delivered => line.Append("  delivered by ").Append(EpollOf(step.Subject)).Append(": ").Append(ItemOf(step.Subject)).Append(" is ").Append(Mask(step.Events)),
        StepKind.Released => line.Append("  the last reference to ").Append(step.Subject).Append(" is gone"),
        _ => line.Append("  ").Append(step.Subject),
    };

    /// <summary>A call and its descriptor: <c>read(fd 7 eventfd)</c>, <c>epoll_ctl(ADD, fd 7)</c>.</summary>
    /// <param name="call">Which call.</param>
    /// <param name="fd">The descriptor it is about; negative: none.</param>
    /// <param name="kind">What the descriptor is; null: unknown.</param>
    /// <param name="operation">The operation of epoll_ctl; 0: unknown.</param>
    internal static string Call(SystemCall call, int fd, string? kind, EpollOp operation = 0)
    {
        string first = call != SystemCall.EpollCtl ? "" : operation switch
        {
            EpollOp.Add => "ADD, ",
            EpollOp.Delete => "DEL, ",
            EpollOp.Modify => "MOD, ",
            _ => "",
        };
        return fd < 0 ? $"{call.ManName()}()" : $"{call.ManName()}({first}fd {fd}{(kind == null ? "" : " ")}{kind})";
    }

    private static string EpollOf(object? subject) => subject is EpollItem item ? item.Epoll.ToString() : "epoll";

    private static string ItemOf(object? subject) => subject is EpollItem item ? $"fd {item.Fd} ({item.File})" : "?";

    /// <summary>The name of a thread by its number.</summary>
    internal static string ThreadName(World world, int thread) => (uint)thread < (uint)world.Threads.Count ? world.Threads[thread].Name : "-";

    /// <summary>What a call returned: a number, a descriptor, the name of an error.</summary>
    internal static string Result(SystemCall call, long result)
        => result < 0 ? ((Errno)(int)-result).ToString()
            : ReturnsDescriptor(call) ? $"fd {result}" : result.ToString(CultureInfo.InvariantCulture);

    /// <summary>Whether a call's result, if it is no error, is a descriptor.</summary>
    internal static bool ReturnsDescriptor(SystemCall call) => call
        is SystemCall.Open or SystemCall.Dup3 or SystemCall.Socket or SystemCall.Accept4 or SystemCall.EpollCreate1 or SystemCall.EventFd
        or SystemCall.TimerFdCreate or SystemCall.SignalFd or SystemCall.PidFdOpen or SystemCall.InotifyInit;

    /// <summary>A mask by the names of epoll_ctl(2): <c>IN|RDHUP|ET</c>; what bits have no name comes as a number.</summary>
    internal static string Mask(EpollEvents events)
    {
        if (events == EpollEvents.None)
            return "nothing";
        var text = new StringBuilder();
        foreach ((EpollEvents bit, string name) in MaskNames)
        {
            if ((events & bit) == 0)
                continue;
            text.Append(text.Length > 0 ? "|" : "").Append(name);
            events &= ~bit;
        }

        if (events != EpollEvents.None)
            text.Append(text.Length > 0 ? "|" : "").Append(CultureInfo.InvariantCulture, $"0x{(uint)events:x}");
        return text.ToString();
    }

    /// <summary>A moment as seconds since the simulation began, to the nanosecond.</summary>
    internal static string Moment(long time)
    {
        long elapsed = time - SimClock.Start;
        return string.Create(CultureInfo.InvariantCulture, $"{elapsed / 1_000_000_000}.{elapsed % 1_000_000_000:000000000}");
    }

    /// <summary>A length of time in the unit that suits it.</summary>
    internal static string Span(long nanoseconds) => nanoseconds switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds} ns"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e3:0.###} us"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:0.###} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e9:0.###} s"),
    };
}
