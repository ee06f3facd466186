using System.Diagnostics;
using System.Globalization;

namespace Weir.Bench.Timers;

/// <summary>libuv, in a process of its own for each round; see peers/libuv-timers/timers.c.</summary>
internal sealed class LibuvContestant
{
    private readonly string _program;

    private LibuvContestant(string program) => _program = program;

    /// <summary>Compiles the program; <see langword="null"/>, with a word on why, if that cannot be done here.</summary>
    public static LibuvContestant? TryBuild()
    {
        string? folder = FindFolder();
        if (folder is null)
        {
            Console.Error.WriteLine("libuv is left out: bench/peers/libuv-timers was not found above the current directory or the program's.");
            return null;
        }

        string program = Path.Combine(folder, "build", "timers");
        Directory.CreateDirectory(Path.GetDirectoryName(program)!);
        try
        {
            Run("cc", "-O2", "-Wall", "-Wextra", "-o", program, Path.Combine(folder, "timers.c"), "-luv");
            return new LibuvContestant(program);
        }
        catch (Exception error) when (error is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            Console.Error.WriteLine($"libuv is left out: {error.Message} (it needs a C compiler and libuv's headers)");
            return null;
        }
    }

    public Round Run(Workload work, int seed)
    {
        string line = Run(_program, work.Count.ToString(CultureInfo.InvariantCulture), seed.ToString(CultureInfo.InvariantCulture));
        double[] figures = Array.ConvertAll(line.Split(' '), field => double.Parse(field, CultureInfo.InvariantCulture));
        return new Round(figures[0], figures[1], figures[2], figures[3]);
    }

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} ended with status {process.ExitCode}.");
    }

    private static string? FindFolder()
    {
        foreach (string start in new[] { Directory.GetCurrentDirectory(), AppContext.BaseDirectory })
        {
            for (DirectoryInfo? above = new(start); above is not null; above = above.Parent)
            {
                string folder = Path.Combine(above.FullName, "bench", "peers", "libuv-timers");
                if (Directory.Exists(folder))
                {
                    return folder;
                }
            }
        }

        return null;
    }
}
