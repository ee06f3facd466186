using System.Text.Json;

namespace Weir.Simulation;

public sealed partial class SimTrace
{
    // All that happens at one moment of virtual time would lie on top of each other: each entry takes at least so many nanoseconds on screen.
    private const long Apart = 10;

    private static readonly EpollEvents[] Shown = [EpollEvents.In, EpollEvents.Out, EpollEvents.Pri, EpollEvents.RdHup, EpollEvents.Hup, EpollEvents.Err];

    /// <summary>
    /// Writes it in Chrome's trace event format (JSON, UTF-8), which https://ui.perfetto.dev opens: a process for each simulated one, in it a track for each
    /// thread with its calls as slices in virtual time, wakes and epoll's events as instants, and a counter for the readiness of each descriptor.
    /// </summary>
    /// <remarks>What happens at the same virtual time is drawn a few nanoseconds apart, so that its order can be seen.</remarks>
    public void WriteChromeTrace(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ns");
        json.WriteStartArray("traceEvents");
        if (_world != null)
        {
            WriteNames(json);
            WriteEntries(json);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteNames(Utf8JsonWriter json)
    {
        foreach (Machine machine in _world!.Machines)
        {
            foreach (SimKernel process in machine.Processes)
                WriteName(json, "process_name", process.ProcessId, 0, $"{process.ProcessName} on {machine.Name}");
        }

        foreach (SimThread thread in _world.Threads)
            WriteName(json, "thread_name", thread.Process.ProcessId, thread.Id + 1, thread.Name);
    }

    private static void WriteName(Utf8JsonWriter json, string what, int process, int thread, string name)
    {
        json.WriteStartObject();
        json.WriteString("name", what);
        json.WriteString("ph", "M");
        json.WriteNumber("pid", process);
        json.WriteNumber("tid", thread);
        json.WriteStartObject("args");
        json.WriteString("name", name);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WriteEntries(Utf8JsonWriter json)
    {
        var entered = new (Entry Entry, long Shown)?[_world!.Threads.Count + 1]; // by thread, the first for whoever is none
        long shown = 0;
        foreach (Entry entry in _entries)
        {
            shown = Math.Max(entry.Time - SimClock.Start, shown + Apart);
            switch (entry.Kind)
            {
                case EntryKind.Entered:
                    // A stepped loop enters its wait twice: where it begins to wait, and where it looks what came of it.
                    if (entered[entry.Thread + 1] is not { } before || !IsWait(before.Entry.Call) || !IsWait(entry.Call))
                        entered[entry.Thread + 1] = (entry, shown);
                    break;
                case EntryKind.Returned:
                    WriteCall(json, entry, entered[entry.Thread + 1], shown);
                    entered[entry.Thread + 1] = null;
                    break;
                case EntryKind.Readiness or EntryKind.Gone:
                    WriteReadiness(json, entry, shown);
                    break;
                default:
                    WriteInstant(json, entry, shown);
                    break;
            }
        }

        // Calls that never returned last until the end.
        foreach ((Entry Entry, long Shown)? open in entered)
        {
            if (open is { } call)
                WriteCall(json, call.Entry, call, shown + Apart);
        }
    }

    private static bool IsWait(SystemCall call) => call is SystemCall.EpollPWait2 or SystemCall.EpollWait;

    private static void WriteCall(Utf8JsonWriter json, in Entry entry, (Entry Entry, long Shown)? entered, long shown)
    {
        long began = entered?.Shown ?? shown;
        Begin(json, entry, entry.Call.ManName(), "X", began);
        json.WriteNumber("dur", (shown - began) / 1000.0);
        json.WriteStartObject("args");
        if (entry.Fd >= 0)
            json.WriteString("fd", $"{entry.Fd} {entered?.Entry.Name}");
        json.WriteString("result", entry.Kind == EntryKind.Returned ? ResultOf(entry) : "did not return");
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteInstant(Utf8JsonWriter json, in Entry entry, long shown)
    {
        Begin(json, entry, TextOf(entry).Trim(), "i", shown);
        json.WriteString("s", "t");
        json.WriteEndObject();
    }

    private static void WriteReadiness(Utf8JsonWriter json, in Entry entry, long shown)
    {
        Begin(json, entry, Descriptor(entry), "C", shown);
        json.WriteStartObject("args");
        foreach (EpollEvents events in Shown)
            json.WriteNumber(StepText.Mask(events), (entry.Events & events) != 0 ? 1 : 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Begin(Utf8JsonWriter json, in Entry entry, string name, string phase, long shown)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("cat", entry.Kind.ToString());
        json.WriteString("ph", phase);
        json.WriteNumber("pid", entry.Process);
        json.WriteNumber("tid", entry.Thread + 1);
        json.WriteNumber("ts", shown / 1000.0); // microseconds
    }
}
