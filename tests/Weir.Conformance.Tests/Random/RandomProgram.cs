using System.Text;

namespace Weir.Conformance.Random;

/// <summary>A list of operations. Shows itself as the program it is, ready to be made a test of its own.</summary>
public sealed record RandomProgram(IReadOnlyList<Operation> Operations)
{
    // Runs after which it counts as one that the real kernel does not answer in this way.
    private const int Repetitions = 5;

    /// <summary>Runs it.</summary>
    internal void Run(Machine machine) => new Interpreter(machine, null).Run(Operations);

    /// <summary>How the kernels differ, if they do and the real one does not differ from itself.</summary>
    internal string? Difference()
    {
        Transcript real = new LinuxMachine { IsHasty = true }.Run(Run);
        Transcript other = new SimMachine().Run(Run);
        string? difference = Transcript.Difference(real, other);
        for (int i = 0; i < Repetitions && difference != null; i++)
            difference = Transcript.Difference(new LinuxMachine().Run(Run), other);
        return difference;
    }

    /// <summary>The program as C#.</summary>
    internal string ToSource()
    {
        StringBuilder source = new();
        new LinuxMachine().Run(m => new Interpreter(m, source).Run(Operations));
        return source.ToString();
    }

    /// <summary>Smaller programs of the same kind, the smallest first: with a stretch of it left out, or with smaller numbers.</summary>
    internal IEnumerable<RandomProgram> Shrink()
    {
        for (int length = Operations.Count; length > 0; length /= 2)
        {
            for (int start = 0; start + length <= Operations.Count; start += Math.Max(length / 2, 1))
                yield return new RandomProgram([.. Operations.Take(start), .. Operations.Skip(start + length)]);
        }

        for (int i = 0; i < Operations.Count; i++)
        {
            Operation operation = Operations[i];
            foreach (int a in Smaller(operation.A))
                yield return With(i, operation with { A = a });
            foreach (int b in Smaller(operation.B))
                yield return With(i, operation with { B = b });
            foreach (int c in Smaller(operation.C))
                yield return With(i, operation with { C = c });
        }
    }

    private RandomProgram With(int index, Operation operation)
    {
        Operation[] operations = [.. Operations];
        operations[index] = operation;
        return new RandomProgram(operations);
    }

    // First those that choose the first few descriptors: such a choice stays the same when later ones are left out.
    private static IEnumerable<int> Smaller(int number)
    {
        for (int choice = 0; choice < 6 && choice * Interpreter.ClosedOneIn < number; choice++)
            yield return choice * Interpreter.ClosedOneIn;
        for (int step = number / 2; step > 0; step /= 2)
            yield return number - step;
    }

    public override string ToString() => $"{Operations.Count} operations";
}
