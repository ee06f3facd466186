using FsCheck;
using FsCheck.Fluent;

namespace Weir.Conformance.Random;

/// <summary>Which files a random program is about.</summary>
public enum Family
{
    Counters,
    Pipes,
    UnixSockets,
    Network,
    Nesting,
    Everything,
}

/// <summary>Random programs: how often each operation occurs in those of a family.</summary>
internal static class ProgramGenerator
{
    private const int Shortest = 10;
    private const int Longest = 70;

    // A program begins by making some of its family's files, and makes few later.
    private const int FewestFiles = 2;
    private const int MostFiles = 6;
    private const int LaterFiles = 6;

    private sealed record Mix((int Weight, OperationKind Kind)[] Making, (int Weight, OperationKind Kind)[] Using);

    private static readonly Mix Waiting = new(
        [(1, OperationKind.Set)],
        [
            (16, OperationKind.Add), (1, OperationKind.AddSet), (8, OperationKind.Modify), (3, OperationKind.Delete), (20, OperationKind.Wait),
            (2, OperationKind.Poll), (3, OperationKind.Close), (3, OperationKind.Duplicate), (1, OperationKind.DuplicateOnto), (2, OperationKind.Waiter),
        ]);

    private static readonly Mix Counters = new(
        [(5, OperationKind.Counter), (3, OperationKind.Semaphore), (2, OperationKind.Timer)],
        [(14, OperationKind.Write), (12, OperationKind.Read), (4, OperationKind.Arm)]);

    private static readonly Mix Pipes = new(
        [(3, OperationKind.Pipe), (3, OperationKind.FifoEnd)],
        [(14, OperationKind.Write), (14, OperationKind.Read), (3, OperationKind.Fill), (2, OperationKind.Drain), (3, OperationKind.FifoEnd), (2, OperationKind.Close)]);

    private static readonly Mix UnixSockets = new(
        [(5, OperationKind.UnixPair), (2, OperationKind.UnixMessagePair), (2, OperationKind.UnixListener), (1, OperationKind.FreshSocket)],
        [
            (3, OperationKind.Connect), (3, OperationKind.Accept), (14, OperationKind.Write), (14, OperationKind.Read), (2, OperationKind.Peek),
            (2, OperationKind.Fill), (2, OperationKind.Drain), (4, OperationKind.Shutdown), (1, OperationKind.LowWatermark),
            (1, OperationKind.SendBuffer), (1, OperationKind.PassDescriptor),
        ]);

    private static readonly Mix Network = new(
        [(4, OperationKind.TcpPair), (2, OperationKind.UdpPair), (1, OperationKind.TcpListener), (1, OperationKind.FreshSocket)],
        [
            (2, OperationKind.Connect), (2, OperationKind.Accept), (14, OperationKind.Write), (14, OperationKind.Read), (2, OperationKind.Peek),
            (2, OperationKind.Drain), (4, OperationKind.Shutdown), (2, OperationKind.LowWatermark), (1, OperationKind.Urgent), (1, OperationKind.Reset),
        ]);

    private static readonly Mix Nesting = new(
        [(6, OperationKind.Set), (3, OperationKind.Counter)],
        [(12, OperationKind.AddSet), (8, OperationKind.Write), (8, OperationKind.Read), (2, OperationKind.Close)]);

    private static Mix[] MixesOf(Family family) => family switch
    {
        Family.Counters => [Waiting, Counters],
        Family.Pipes => [Waiting, Pipes],
        Family.UnixSockets => [Waiting, UnixSockets],
        Family.Network => [Waiting, Network],
        Family.Nesting => [Waiting, Nesting],
        _ => [Waiting, Waiting, Counters, Pipes, UnixSockets, Network, Nesting],
    };

    /// <summary>Programs of a family; they shrink.</summary>
    internal static Arbitrary<RandomProgram> Programs(Family family)
    {
        Mix[] mixes = MixesOf(family);
        (int, Gen<OperationKind>)[] making = [.. mixes.SelectMany(mix => mix.Making).Select(pair => (pair.Weight, Gen.Constant(pair.Kind)))];
        (int, Gen<OperationKind>)[] all =
            [(LaterFiles, Gen.Frequency(making)), .. mixes.SelectMany(mix => mix.Using).Select(pair => (pair.Weight, Gen.Constant(pair.Kind)))];
        Gen<Operation> first = Operations(Gen.Frequency(making)), later = Operations(Gen.Frequency(all));
        Gen<RandomProgram> programs =
            from files in Gen.Choose(FewestFiles, MostFiles)
            from length in Gen.Choose(Shortest, Longest)
            from made in first.ArrayOf(files)
            from used in later.ArrayOf(length)
            select new RandomProgram([.. made, .. used]);
        return Arb.From(programs, program => program.Shrink());
    }

    private static Gen<Operation> Operations(Gen<OperationKind> kinds)
    {
        Gen<int> numbers = Gen.Choose(0, 999);
        return
            from kind in kinds
            from a in numbers
            from b in numbers
            from c in numbers
            select new Operation(kind, a, b, c);
    }
}
