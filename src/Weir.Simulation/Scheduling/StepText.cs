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

    /// <summary>One line: when, which thread, what. <c>0.001200000  main  read(7) = -EAGAIN</c></summary>
    internal static string Line(World world, in Step step)
    {
        var line = new StringBuilder();
        line.Append(Moment(step.Time)).Append("  ").Append(ThreadName(world, step.Thread).PadRight(10)).Append("  ");
        return AppendWhat(line, step).ToString();
    }

    /// <summary>What happened in it, without time and thread.</summary>
    internal static string What(in Step step) => AppendWhat(new StringBuilder(), step).ToString();

    private static StringBuilder AppendWhat(StringBuilder line, in Step step)
    {
        switch (step.Kind)
        {
            case StepKind.Call:
                AppendCall(line, step.Call, step.Fd, step.Events);
                return line.Append(" = ").Append(Result(step.Result));
            case StepKind.Entered:
                AppendCall(line, step.Call, step.Fd, step.Events);
                return line.Append(" ...");
            case StepKind.Woken:
                return line.Append("  wakes ").Append(((SimThread)step.Subject!).Name);
            case StepKind.Queued:
                return line.Append("  queued in ").Append(EpollOf(step.Subject)).Append(": ").Append(ItemOf(step.Subject));
            case StepKind.Delivered:
                return line.Append("  delivered by ").Append(EpollOf(step.Subject)).Append(": ").Append(ItemOf(step.Subject))
                    .Append(" is ").Append(Mask(step.Events));
            case StepKind.Released:
                return line.Append("  the last reference to ").Append(step.Subject).Append(" is gone");
            default:
                return line.Append("  ").Append(step.Subject);
        }
    }

    /// <summary>A call and its descriptor, of which <paramref name="kind"/> says what it is: <c>epoll_ctl(ADD, 7 eventfd)</c>.</summary>
    internal static string Call(SystemCall call, int fd, EpollEvents detail, string? kind)
    {
        var line = new StringBuilder();
        AppendCall(line, call, fd, detail, kind);
        return line.ToString();
    }

    private static void AppendCall(StringBuilder line, SystemCall call, int fd, EpollEvents detail, string? kind = null)
    {
        line.Append(call.ManName()).Append('(');
        if (call == SystemCall.EpollCtl)
        {
            line.Append((EpollOp)(int)detail switch
            {
                EpollOp.Add => "ADD, ",
                EpollOp.Delete => "DEL, ",
                EpollOp.Modify => "MOD, ",
                _ => "",
            });
        }

        if (fd >= 0)
            line.Append(fd);
        if (kind != null)
            line.Append(' ').Append(kind);
        line.Append(')');
    }

    private static string EpollOf(object? subject) => subject is EpollItem item ? item.Epoll.ToString() : "epoll";

    private static string ItemOf(object? subject) => subject is EpollItem item ? $"fd {item.Fd} ({item.File})" : "?";

    /// <summary>The name of a thread by its number.</summary>
    internal static string ThreadName(World world, int thread) => (uint)thread < (uint)world.Threads.Count ? world.Threads[thread].Name : "-";

    /// <summary>What a call returned: a number, or the name of an error.</summary>
    internal static string Result(long result)
        => result < 0 && Enum.IsDefined((Errno)(int)-result) ? $"-{(Errno)(int)-result}" : result.ToString(CultureInfo.InvariantCulture);

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
