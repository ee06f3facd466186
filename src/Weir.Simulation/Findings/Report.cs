using System.Globalization;
using System.Text;

namespace Weir.Simulation;

/// <summary>Words a finding: one sentence of what was found, what to do about it, and the state of the world it was found in.</summary>
internal static class Report
{
    private const int StepsShown = 30;
    private const int DescriptorsShown = 40;

    /// <summary>The finding as it is thrown. <paramref name="details"/>: lines that belong to the sentence.</summary>
    internal static SimulationException Make(
        World world, FindingKind kind, string what, string advice, IEnumerable<string>? details = null, Exception? inner = null)
    {
        var text = new StringBuilder();
        text.Append(kind).Append(": ").AppendLine(what);
        foreach (string detail in details ?? [])
            text.Append("  ").AppendLine(detail);
        if (advice.Length > 0)
            text.Append("What to do: ").AppendLine(advice);
        if (!world.IsLive)
            AppendWorld(text, world); // there, others are changing it
        return new SimulationException(kind, text.ToString().TrimEnd(), inner, what);
    }

    /// <summary>Seed and time, threads, descriptors, and the last steps.</summary>
    private static void AppendWorld(StringBuilder text, World world)
    {
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"Virtual time {StepText.Moment(world.Now)} s, step {world.Log.Count}");
        text.AppendLine().AppendLine("Threads");
        foreach (SimThread thread in world.Threads)
            text.Append("  ").AppendLine(Thread(thread));
        foreach (Machine machine in world.Machines)
        {
            foreach (SimKernel process in machine.Processes)
                AppendDescriptors(text, process);
        }

        text.AppendLine().AppendLine("Last steps");
        foreach (Step step in world.Log.Last.TakeLast(StepsShown))
            text.Append("  ").AppendLine(StepText.Line(world, step));
    }

    /// <summary>What a thread does: <c>loop main: epoll_wait(5) since 1.2 s, deadline in 3 s</c>.</summary>
    internal static string Thread(SimThread thread)
    {
        var text = new StringBuilder(thread.ToString()).Append(": ");
        switch (thread.State)
        {
            case ThreadState.Ended:
                return text.Append("has ended").ToString();
            case ThreadState.Runnable:
                text.Append("can run");
                return thread.Call == SystemCall.None ? text.ToString() : text.Append(", in ").Append(Call(thread)).ToString();
            default:
                World world = thread.World;
                text.Append(Call(thread)).Append(CultureInfo.InvariantCulture, $" since {StepText.Span(world.Now - thread.BlockedAt)}");
                return text.Append(thread.Deadline == World.Never ? ", no deadline" : $", deadline in {StepText.Span(thread.Deadline - world.Now)}").ToString();
        }
    }

    internal static string Call(SimThread thread)
        => thread.CallDescriptor < 0
            ? $"{thread.Call.ManName()}()"
            : $"{thread.Call.ManName()}(fd {thread.CallDescriptor}{Named(thread)})";

    private static string Named(SimThread thread)
        => thread.CallProcess.Descriptors.Find(thread.CallDescriptor) is { } file ? $", {file}" : "";

    private static void AppendDescriptors(StringBuilder text, SimKernel process)
    {
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Descriptors of {process.ProcessName} (process {process.ProcessId} on {process.Machine})");
        int shown = 0;
        foreach ((int fd, SimFile file, _) in process.Descriptors.Open)
        {
            if (fd < 3 && file is NullFile)
                continue;
            if (++shown > DescriptorsShown)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"  and {process.Descriptors.Count - fd} more");
                break;
            }

            text.Append(CultureInfo.InvariantCulture, $"  {fd,-4} {file}: ").AppendLine(Readiness(file));
            if (file is EpollFile epoll)
            {
                foreach (EpollItem item in epoll.Items)
                    text.Append("         watches ").AppendLine(Registration(item));
            }
        }
    }

    private static string Readiness(SimFile file)
    {
        if (!file.CanPoll)
            return "cannot be polled";
        string text = file is EpollFile epoll
            ? $"{epoll.Items.Count} registered, {epoll.ReadyItems.Count()} queued"
            : file.Readiness is var now && now != EpollEvents.None ? $"ready {StepText.Mask(now)}" : "not ready";
        if (file.Held != EpollEvents.None)
            text += $" ({StepText.Mask(file.Held)} held back by a fault)";
        if (file.References > 1)
            text += $", {file.References} references";
        return text;
    }

    /// <summary>A registration: number, file, mask, data, and whether it is queued.</summary>
    internal static string Registration(EpollItem item)
    {
        SimFile? meant = item.Owner?.Descriptors.Find(item.Fd);
        string number = meant == item.File ? $"fd {item.Fd}" : meant == null ? $"fd {item.Fd} (closed)" : $"fd {item.Fd} (now {meant})";
        string mask = StepText.Mask(item.Events & ~(EpollEvents.Err | EpollEvents.Hup));
        if ((item.Events & ~EpollItem.PrivateBits) == EpollEvents.None)
            mask += " (disabled since it fired)";
        string told = item.Watch.DeliveredAt == 0 ? "never delivered" : $"last delivered at {StepText.Moment(item.Watch.DeliveredAt)} as {StepText.Mask(item.Watch.Delivered)}";
        return string.Create(CultureInfo.InvariantCulture, $"{number} ({item.File}) for {mask}, data 0x{item.Data:x}, {(item.ReadyNode != null ? "queued" : "not queued")}, {told}");
    }
}
