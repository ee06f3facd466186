namespace Weir.Bench.Soak;

/// <summary>Something that may not be: a byte that differs, a leak, an error nobody provoked, an operation that never ends.</summary>
internal sealed class Finding(string message, Exception? cause = null) : Exception(message, cause);
