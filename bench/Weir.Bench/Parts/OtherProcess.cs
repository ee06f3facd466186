using System.Diagnostics;

namespace Weir.Bench.Parts;

/// <summary>A program started on one CPU, its output captured, and killed at the latest when this process ends.</summary>
internal sealed class OtherProcess : IDisposable
{
    private static readonly List<OtherProcess> Living = [];

    /// <summary>
    /// Switches of the .NET runtime that a developer may have set: servers run as their users run them, and a peer that
    /// needs a switch names it.
    /// </summary>
    private static readonly string[] Cleared =
        ["DOTNET_TieredCompilation", "DOTNET_TieredPGO", "DOTNET_ReadyToRun", "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"];

    private readonly Process _process;
    private readonly Task<string> _errors;

    private OtherProcess(Process process)
    {
        _process = process;
        // Read all the time: a full pipe would stop the child.
        _errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>taskset replaces itself by the program, so this is the program's own id.</summary>
    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    public StreamReader Output => _process.StandardOutput;

    public StreamWriter Input => _process.StandardInput;

    /// <summary>What the program wrote to stderr, as one line; waits for its end.</summary>
    public string Errors => _errors.Result.Trim().ReplaceLineEndings(" | ");

    /// <summary>Starts a program; <paramref name="cpu"/> null leaves it to the scheduler.</summary>
    public static OtherProcess Start(
        int? cpu, IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment = null)
    {
        IEnumerable<string> pinned = cpu is { } number ? ["taskset", "-c", number.ToString(), .. command] : command;
        var start = new ProcessStartInfo(pinned.First(), pinned.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string name in Cleared)
        {
            start.Environment.Remove(name);
        }

        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new BenchException($"cannot start {start.FileName}: {e.Message}");
        }

        var child = new OtherProcess(process);
        lock (Living)
        {
            Living.Add(child);
        }

        return child;
    }

    /// <summary>Runs a program to its end and returns its output; throws when it fails or takes too long.</summary>
    public static string Run(int? cpu, TimeSpan limit, params string[] command)
    {
        using OtherProcess child = Start(cpu, command);
        Task<string> output = child.Output.ReadToEndAsync();
        child.WaitForEnd(limit);
        return output.Result;
    }

    /// <summary>Waits for an end without failure; throws, with what it said on stderr, otherwise.</summary>
    public void WaitForEnd(TimeSpan limit, bool ignoreExitCode = false)
    {
        string name = _process.StartInfo.ArgumentList.FirstOrDefault(a => a.Contains('/')) ?? _process.StartInfo.FileName;
        name = Path.GetFileName(name);
        if (!_process.WaitForExit(limit))
        {
            throw new BenchException($"{name} did not end within {limit.TotalSeconds:0} s");
        }

        if (_process.ExitCode != 0 && !ignoreExitCode)
        {
            throw new BenchException($"{name} ended with {_process.ExitCode}: {Errors}");
        }
    }

    public void Dispose()
    {
        lock (Living)
        {
            if (!Living.Remove(this))
            {
                return;
            }
        }

        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    public static void KillAll()
    {
        OtherProcess[] all;
        lock (Living)
        {
            all = [.. Living];
        }

        foreach (OtherProcess child in all)
        {
            child.Dispose();
        }
    }
}
