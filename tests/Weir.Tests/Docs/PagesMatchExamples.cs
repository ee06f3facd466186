using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Weir.Tests;

/// <summary>
/// Code on a page is code that runs: every C# block of README.md and of the pages under docs/ stands, word for word, in an example that is
/// a test or in a sample. Only white space may differ.
/// </summary>
public partial class PagesMatchExamples
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(ThisFolder(), "..", "..", ".."));

    public static TheoryData<string> Pages()
    {
        var pages = new TheoryData<string>();
        foreach (string page in PageNames())
            pages.Add(page);
        return pages;
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_block_of_code_stands_in_an_example(string page)
    {
        string[] sources = [.. Sources().Select(file => Normalized(File.ReadAllText(file)))];
        foreach (Match block in CSharpBlock().Matches(File.ReadAllText(Path.Combine(Root, page))))
        {
            string code = block.Groups["code"].Value;
            string normalized = Normalized(code);
            Assert.True(sources.Any(source => source.Contains(normalized, StringComparison.Ordinal)), $"{page}: no example and no sample contains\n{code}");
        }
    }

    [Fact]
    public void Every_link_to_a_file_leads_somewhere()
    {
        foreach (string page in PageNames())
        {
            string folder = Path.GetDirectoryName(Path.Combine(Root, page))!;
            foreach (Match link in FileLink().Matches(File.ReadAllText(Path.Combine(Root, page))))
            {
                string target = Path.Combine(folder, link.Groups["target"].Value);
                Assert.True(Path.Exists(target), $"{page} links to {link.Groups["target"].Value}, which is not there.");
            }
        }
    }

    private static IEnumerable<string> PageNames()
        => Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md")
            .Select(page => Path.GetRelativePath(Root, page))
            .Order(StringComparer.Ordinal)
            .Prepend("README.md");

    private static IEnumerable<string> Sources()
        => Directory.EnumerateFiles(ThisFolder(), "*.cs")
            .Concat(Directory.EnumerateFiles(Path.Combine(Root, "tests", "Weir.Simulation.Tests", "Docs"), "*.cs"))
            .Concat(Directory.EnumerateFiles(Path.Combine(Root, "samples"), "*.cs", SearchOption.AllDirectories));

    private static string Normalized(string code) => WhiteSpace().Replace(code, " ").Trim();

    private static string ThisFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [GeneratedRegex(@"^ {0,3}```csharp[^\n]*\n(?<code>.*?)^ {0,3}```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"\]\((?!https?:|#)(?<target>[^)#\s]+)")]
    private static partial Regex FileLink();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();
}
