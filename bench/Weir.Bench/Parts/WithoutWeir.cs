using System.CommandLine;

namespace Weir.Bench.Parts;

/// <summary>The option to look at the peers alone.</summary>
internal static class WithoutWeir
{
    public static Option<bool> Option { get; } = new("--without-weir") { Description = "Leave weir out: the peers only." };

    public static bool IsGivenIn(ParseResult arguments) => arguments.GetValue(Option);
}
