namespace Weir.Bench.Parts;

/// <summary>Brings freshly started servers to the speed they keep.</summary>
internal static class WarmUp
{
    /// <summary>
    /// Twice a load, with a pause between: the runtime counts calls in the first, compiles what it found hot once
    /// nothing new has started for 100 ms, and is instrumented until the same happened again after the second.
    /// </summary>
    public static void Servers(IEnumerable<EchoServer> servers, LoadGenerator generator, Settings settings)
    {
        double seconds = settings.Quick ? 0.5 : 1.5;
        for (int pass = 0; pass < 2; pass++)
        {
            foreach (EchoServer server in servers)
            {
                generator.Run(server, new Load(64, 64, pass == 0 ? 1 : 16), seconds, "--verify");
            }

            Thread.Sleep(300);
        }
    }
}
