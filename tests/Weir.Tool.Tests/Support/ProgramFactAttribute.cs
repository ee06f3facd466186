namespace Weir.Tool.Tests.Support;

/// <summary>A fact that needs programs of the system; skipped, and says why, where they are not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal class ProgramFactAttribute : FactAttribute
{
    internal ProgramFactAttribute(params string[] programs)
    {
        string[] missing = [.. programs.Where(program => Find(program) == null)];
        if (missing.Length > 0)
            Skip = $"{string.Join(" and ", missing)} not installed";
    }

    /// <summary>The path of a program: in PATH, or among the administrator's programs, which an ordinary user's PATH lacks.</summary>
    internal static string? Find(string program)
        => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}

[AttributeUsage(AttributeTargets.Method)]
internal sealed class RedisFactAttribute() : ProgramFactAttribute("redis-server", "redis-benchmark");

[AttributeUsage(AttributeTargets.Method)]
internal sealed class WebFactAttribute() : ProgramFactAttribute("nginx", "wrk");
