using System.CommandLine;
using System.Runtime.InteropServices;
using Weir.Bench;
using Weir.Bench.Benchmarks;
using Weir.Bench.Parts;

IBenchmark[] benchmarks =
[
    new EchoBenchmark(),
    new FloodBenchmark(),
    new IdleBenchmark(),
    new SyscallsBenchmark(),
    new PostsBenchmark(),
    new ProxyBenchmark(),
    new UdpBenchmark(),
    new FilesBenchmark(),
    new RegistrationsBenchmark(),
    new ZeroCopyBenchmark(),
];

// Servers are children: none may outlive this process, however it ends.
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
AppDomain.CurrentDomain.ProcessExit += (_, _) => OtherProcess.KillAll();

var root = new RootCommand("Benchmarks of Weir. Each compares within one interleaved run and prints ratios.");
foreach (IBenchmark benchmark in benchmarks)
{
    root.Add(CommandLine.For(benchmark));
}

root.Add(CommandLine.ForIdleServer());
root.Add(CommandLine.ForUdpServer());
return root.Parse(args).Invoke();

static void Stop(PosixSignalContext context)
{
    OtherProcess.KillAll();
    Environment.Exit(128 + (context.Signal == PosixSignal.SIGINT ? 2 : 15));
}
