using System.Globalization;
using System.Runtime.InteropServices;

namespace Weir.Bench.Parts;

/// <summary>CPU time: of a process, all its threads, and of one CPU. In seconds.</summary>
internal static partial class CpuClock
{
    /// <summary>The process's own CPU clock: nanoseconds, user and system, the ended threads too.</summary>
    public static double OfProcess(int id)
    {
        if (clock_getcpuclockid(id, out int clock) != 0 || clock_gettime(clock, out TimeSpec time) != 0)
        {
            throw new BenchException($"process {id} has no CPU clock: has it ended?");
        }

        return time.Seconds + (time.Nanoseconds / 1e9);
    }

    /// <summary>What a CPU has done but idle and wait for disks; in steps of 10 ms.</summary>
    public static double OfCpu(int cpu)
    {
        const double TicksPerSecond = 100; // USER_HZ, on every architecture .NET runs on
        string name = $"cpu{cpu} ";
        string[] ticks = File.ReadLines("/proc/stat").First(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        double Sum(params int[] fields) => fields.Sum(field => double.Parse(ticks[field], CultureInfo.InvariantCulture));
        return Sum(0, 1, 2, 5, 6) / TicksPerSecond; // user, nice, system, irq, softirq
    }

    [LibraryImport("libc")]
    private static partial int clock_getcpuclockid(int process, out int clock);

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
