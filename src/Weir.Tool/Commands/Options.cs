using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Weir.Net;

namespace Weir.Tool.Commands;

/// <summary>Options with parsers of their own, since the library's say "expected type 'System.Nullable`1'"; and what else commands share.</summary>
internal static class Options
{
    /// <summary>An option with a number; null when it is not given.</summary>
    internal static Option<int?> Number(string name, string description, string unit, int least, int most) => new(name)
    {
        Description = description,
        HelpName = unit,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, null, out int number) && number >= least && number <= most)
                return number;
            result.AddError($"{name} takes a number from {least} to {most}, not '{text}'.");
            return null;
        },
    };

    /// <summary>An option with a time; null when it is not given.</summary>
    internal static Option<TimeSpan?> Time(string name, string description, bool zeroAllowed) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (Duration.TryParse(text, out TimeSpan duration) && (zeroAllowed || duration > TimeSpan.Zero))
                return duration;
            result.AddError($"{name} takes a time such as 500ms, 5s or 2m{(zeroAllowed ? "" : ", above zero")}; not '{text}'.");
            return null;
        },
    };

    /// <summary>An option with one of a few words, of which the first stands for the type's default value.</summary>
    internal static Option<T> Choice<T>(string name, string description, params (string Word, T Value)[] choices) => new(name)
    {
        Description = $"{description} Defaults to {choices[0].Word}.",
        HelpName = string.Join('|', choices.Select(choice => choice.Word)),
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            foreach ((string word, T value) in choices)
            {
                if (word == text)
                    return value;
            }

            string words = string.Join(", ", choices[..^1].Select(choice => choice.Word));
            result.AddError($"{name} is {words} or {choices[^1].Word}, not '{text}'.");
            return default;
        },
    };

    /// <summary>How long an idle loop looks before it sleeps.</summary>
    internal static Option<int?> Spin()
        => Number("--spin", "How long an idle loop looks for work before it sleeps: shorter round trips for a busy core.", "MICROSECONDS", 0, 10_000_000);

    /// <summary>Says in one line why an address cannot be listened on.</summary>
    internal static ToolException CannotListen(EndPoint endPoint, KernelException exception)
    {
        string reason = exception.Errno switch
        {
            Errno.ENOENT => "there is no such directory",
            Errno.EADDRINUSE when endPoint is not IPEndPoint => "the address is in use, or the path is there and is no abandoned socket",
            _ => exception.Message,
        };
        return new ToolException($"cannot listen on {Address.Format(endPoint)}: {reason}");
    }
}
