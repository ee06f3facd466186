using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Numerics;
using Weir.Net;

namespace Weir.Tool.Commands;

/// <summary>What commands have in common.</summary>
internal static class Options
{
    /// <summary>Adds an error unless the option's value, if there is one, lies in the range.</summary>
    internal static void RequireRange<T>(OptionResult result, Option<T> option, T least, T most)
        where T : INumber<T>
    {
        if (result.Errors.Any() || result.Tokens.Count == 0)
            return;
        T? value = result.GetValueOrDefault<T>();
        if (value != null && (value < least || value > most))
            result.AddError($"{option.Name} is a number from {least} to {most}, not {value}.");
    }

    /// <summary>As above, for an option without a default.</summary>
    internal static void RequireRange<T>(OptionResult result, Option<T?> option, T least, T most)
        where T : struct, INumber<T>
    {
        if (result.Errors.Any() || result.Tokens.Count == 0)
            return;
        if (result.GetValueOrDefault<T?>() is { } value && (value < least || value > most))
            result.AddError($"{option.Name} is a number from {least} to {most}, not {value}.");
    }

    /// <summary>Listens, or says why not in one line.</summary>
    internal static Listener Listen(EndPoint endPoint)
    {
        try
        {
            return Listener.Bind(endPoint);
        }
        catch (KernelException exception)
        {
            throw new ToolException($"cannot listen on {Address.Format(endPoint)}: {exception.Message}");
        }
    }
}
