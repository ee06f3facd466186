namespace Weir.Bench.Parts;

/// <summary>Where <c>bench/run</c> put what it built: the folder beside the one this program is in.</summary>
internal static class Output
{
    private static string Folder => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, ".."));

    public static string LoadGenerator => Find("peers", "loadgen");

    public static string Harness => Find("harness", "Weir.Bench.dll");

    public static bool Exists(string folder, string file) => File.Exists(Path.Combine(Folder, folder, file));

    /// <summary>The full path of a built file; throws when it is not there.</summary>
    public static string Find(string folder, string file)
    {
        string path = Path.Combine(Folder, folder, file);
        return File.Exists(path)
            ? path
            : throw new BenchException($"{folder}/{file} has not been built; start the benchmarks with bench/run");
    }
}
