namespace Weir.Bench.Parts;

/// <summary>A failure whose message is all the user needs: printed on stderr, exit code 1.</summary>
internal sealed class BenchException(string message) : Exception(message);
