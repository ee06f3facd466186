namespace Weir.Simulation;

public sealed partial class SimTrace
{
    /// <summary>
    /// Writes it as text, a line for each entry: virtual time in seconds since the beginning, the thread, and what it did, calls as strace shows them. A call
    /// during which something else happened has two lines.
    /// </summary>
    public void WriteText(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (_world == null)
            return;
        int width = 4;
        foreach (SimThread thread in _world.Threads)
            width = Math.Max(width, thread.Name.Length);
        for (int i = 0; i < _entries.Count; i++)
        {
            Entry entry = _entries[i];
            // The result follows at once mostly, and then it all goes into one line.
            if (entry.Kind == EntryKind.Entered && i + 1 < _entries.Count && IsReturnOf(entry, _entries[i + 1]))
            {
                Write(writer, width, entry, $"{StepText.Call(entry.Call, entry.Fd, entry.Events, entry.Name)} = {ResultOf(_entries[i + 1])}");
                i++;
                continue;
            }

            Write(writer, width, entry, TextOf(entry));
        }
    }

    /// <summary>As <see cref="WriteText"/> writes it.</summary>
    public override string ToString()
    {
        var writer = new StringWriter();
        WriteText(writer);
        return writer.ToString();
    }

    private void Write(TextWriter writer, int width, in Entry entry, string text)
    {
        writer.Write(StepText.Moment(entry.Time));
        writer.Write("  ");
        writer.Write(NameOf(entry.Thread).PadRight(width));
        writer.Write("  ");
        writer.Write(text);
        writer.Write('\n');
    }

    private string NameOf(int thread) => thread < 0 ? "-" : _world!.Threads[thread].Name;

    private static bool IsReturnOf(in Entry entered, in Entry returned)
        => returned.Kind == EntryKind.Returned && returned.Thread == entered.Thread;

    private static string TextOf(in Entry entry) => entry.Kind switch
    {
        EntryKind.Entered => $"{StepText.Call(entry.Call, entry.Fd, entry.Events, entry.Name)} ...",
        EntryKind.Returned => $"... {entry.Call.ManName()} = {ResultOf(entry)}",
        EntryKind.Woke => $"    wakes {entry.Name}",
        EntryKind.Queued => $"    epoll queues {Descriptor(entry)}",
        EntryKind.Delivered => $"    epoll delivers {Descriptor(entry)}: {StepText.Mask(entry.Events)}",
        EntryKind.Readiness => $"    {Descriptor(entry)} is {(entry.Events == EpollEvents.None ? "not ready" : $"ready: {StepText.Mask(entry.Events)}")}",
        EntryKind.Gone => $"    {Descriptor(entry)} is closed",
        _ => $"    {entry.Name}",
    };

    private static string Descriptor(in Entry entry) => $"fd {entry.Fd} {entry.Name}";

    private static string ResultOf(in Entry returned)
    {
        string result = StepText.Result(returned.Result);
        return returned.Name == null ? result : $"{result} {returned.Name}";
    }
}
