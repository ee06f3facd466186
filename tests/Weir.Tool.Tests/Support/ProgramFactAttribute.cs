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

/// <summary>A theory that needs a C compiler and the kernel's headers.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GccTheoryAttribute : TheoryAttribute
{
    public GccTheoryAttribute() => Skip = Missing;

    internal static string? Missing => ProgramFactAttribute.Find("gcc") == null || !File.Exists("/usr/include/linux/seccomp.h")
        ? "gcc or the kernel's headers not installed"
        : null;
}

[AttributeUsage(AttributeTargets.Method)]
internal sealed class GccFactAttribute : FactAttribute
{
    public GccFactAttribute() => Skip = GccTheoryAttribute.Missing;
}

[AttributeUsage(AttributeTargets.Method)]
internal sealed class RedisFactAttribute() : ProgramFactAttribute("redis-server", "redis-benchmark");

[AttributeUsage(AttributeTargets.Method)]
internal sealed class WebFactAttribute() : ProgramFactAttribute("nginx", "wrk");
