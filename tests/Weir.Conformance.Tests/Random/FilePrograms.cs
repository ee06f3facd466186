using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace Weir.Conformance.Random;

/// <summary>What a step of a random program on files does.</summary>
public enum FileStepKind
{
    Touch,
    Open,
    Close,
    Write,
    Read,
    Fifo,
    Unlink,
    MakeDirectory,
    RemoveDirectory,
    Rename,
    ReadDirectory,
    Watch,
    Unwatch,
    ReadEvents,
}

/// <summary>One step as data: the numbers choose among names, open files and values, so that any list of steps is a program.</summary>
public readonly record struct FileStep(FileStepKind Kind, int A, int B, int C)
{
    public override string ToString() => $"new({nameof(FileStepKind)}.{Kind}, {A}, {B}, {C})";
}

/// <summary>A program on the names of one directory, with two inotify instances that watch it.</summary>
public sealed record FileProgram(IReadOnlyList<FileStep> Steps)
{
    private static readonly string[] Names = ["a", "b", "c", "a/x", "a/y", "b/x", "b/y", "a/x/z", "b/x/z", "a/x/z/deep", "c/x"];

    private static readonly InotifyEvents[] Masks =
    [
        InotifyEvents.All, InotifyEvents.All, InotifyEvents.All,
        InotifyEvents.All | InotifyEvents.ExcludeUnlinked, InotifyEvents.All | InotifyEvents.OneShot, InotifyEvents.All | InotifyEvents.OnlyDirectory,
        InotifyEvents.Create | InotifyEvents.Delete | InotifyEvents.MaskAdd, InotifyEvents.MovedFrom, InotifyEvents.Modify | InotifyEvents.CloseWrite,
        InotifyEvents.DeleteSelf | InotifyEvents.MoveSelf | InotifyEvents.Attributes, InotifyEvents.All | InotifyEvents.MaskCreate,
    ];

    private static readonly FileFlags[] Modes =
    [
        FileFlags.ReadOnly, FileFlags.ReadWrite, FileFlags.WriteOnly | FileFlags.Create, FileFlags.WriteOnly | FileFlags.Truncate,
        FileFlags.ReadWrite | FileFlags.Create | FileFlags.Truncate, FileFlags.WriteOnly | FileFlags.Create | FileFlags.Exclusive,
    ];

    private static readonly int[] Sizes = [16384, 16384, 16384, 100, 48, 16];

    /// <summary>Runs it.</summary>
    internal void Run(Machine m)
    {
        m.MakeFolder();
        Fd[] instances = [m.Inotify(), m.Inotify()];
        m.Watch(instances[0], "");
        List<Fd> open = [];
        foreach (FileStep step in Steps)
            Run(m, step, instances, open);
        // What is left to be told, and the state in which it ends.
        foreach (Fd fd in open)
            m.Close(fd);
        foreach (Fd instance in instances)
        {
            m.Poll(instance);
            m.Readable(instance);
            m.ReadEvents(instance);
        }

        foreach (string name in (string[])["", .. Names])
        {
            if (m.TryOpenFile(name, FileFlags.ReadOnly | FileFlags.NonBlock, out _) is { } fd)
                m.ReadDirectory(fd);
        }
    }

    private static void Run(Machine m, FileStep step, Fd[] instances, List<Fd> open)
    {
        (FileStepKind kind, int a, int b, int c) = step;
        string name = Names[a % Names.Length];
        Fd instance = instances[c % 4 == 0 ? 1 : 0];
        switch (kind)
        {
            case FileStepKind.Touch:
                if (m.TryOpenFile(name, FileFlags.WriteOnly | FileFlags.Create | FileFlags.NonBlock, out _) is { } touched)
                    m.Close(touched);
                break;
            case FileStepKind.Open when m.TryOpenFile(name, Modes[b % Modes.Length] | FileFlags.NonBlock, out _) is { } fd:
                open.Add(fd);
                break;
            case FileStepKind.Close when open.Count > 0:
                m.Close(open[a % open.Count]);
                open.RemoveAt(a % open.Count);
                break;
            case FileStepKind.Write when open.Count > 0:
                m.Write(open[a % open.Count], b % 3);
                break;
            case FileStepKind.Read when open.Count > 0:
                m.Read(open[a % open.Count], 1 + b % 3);
                break;
            case FileStepKind.Fifo:
                m.MakeFifo(name);
                break;
            case FileStepKind.Unlink:
                m.Unlink(name);
                break;
            case FileStepKind.MakeDirectory:
                m.MakeDirectory(name);
                break;
            case FileStepKind.RemoveDirectory:
                m.RemoveDirectory(name);
                break;
            case FileStepKind.Rename:
                m.Rename(name, Names[b % Names.Length]);
                break;
            case FileStepKind.ReadDirectory when m.TryOpenFile(name, FileFlags.ReadOnly | FileFlags.NonBlock, out _) is { } directory:
                m.ReadDirectory(directory);
                m.Close(directory); // what read(2) says of it now depends on the file system
                break;
            case FileStepKind.Watch:
                m.Watch(instance, name, Masks[b % Masks.Length]);
                break;
            case FileStepKind.Unwatch:
                m.Unwatch(instance, 1 + a % 8);
                break;
            case FileStepKind.ReadEvents:
                m.ReadEvents(instance, Sizes[b % Sizes.Length]);
                break;
        }
    }

    /// <summary>How the kernels differ, if they do.</summary>
    internal string? Difference()
    {
        Transcript simulated = new SimMachine().Run(Run);
        string? difference = Transcript.Difference(new LinuxMachine { IsHasty = true }.Run(Run), simulated);
        return difference == null ? null : Transcript.Difference(new LinuxMachine().Run(Run), simulated);
    }

    /// <summary>The program as C#.</summary>
    internal string ToSource() => $"new FileProgram([\n    {string.Join(",\n    ", Steps)},\n])";

    private IEnumerable<FileProgram> Shrink()
    {
        for (int length = Steps.Count; length > 0; length /= 2)
        {
            for (int start = 0; start + length <= Steps.Count; start += Math.Max(length / 2, 1))
                yield return new FileProgram([.. Steps.Take(start), .. Steps.Skip(start + length)]);
        }
    }

    /// <summary>Random programs; they shrink.</summary>
    internal static Arbitrary<FileProgram> Programs()
    {
        const int shortest = 10, longest = 120;
        (int, FileStepKind)[] weights =
        [
            (6, FileStepKind.Touch), (6, FileStepKind.Open), (4, FileStepKind.Close), (5, FileStepKind.Write), (3, FileStepKind.Read),
            (1, FileStepKind.Fifo), (5, FileStepKind.Unlink), (8, FileStepKind.MakeDirectory), (4, FileStepKind.RemoveDirectory),
            (10, FileStepKind.Rename), (2, FileStepKind.ReadDirectory), (8, FileStepKind.Watch), (2, FileStepKind.Unwatch),
            (4, FileStepKind.ReadEvents),
        ];
        Gen<int> numbers = Gen.Choose(0, 999);
        Gen<FileStep> steps =
            from kind in Gen.Frequency([.. weights.Select(weight => (weight.Item1, Gen.Constant(weight.Item2)))])
            from a in numbers
            from b in numbers
            from c in numbers
            select new FileStep(kind, a, b, c);
        Gen<FileProgram> programs =
            from length in Gen.Choose(shortest, longest)
            from list in steps.ArrayOf(length)
            select new FileProgram(list);
        return Arb.From(programs, program => program.Shrink());
    }

    /// <summary>The smallest program found that <paramref name="shows"/> it; null if none of so many steps does.</summary>
    internal static FileProgram? FindSmallest(ulong seed, int steps, Func<FileProgram, bool> shows, out int programs)
    {
        const int atOnce = 100;
        FileProgram? smallest = null;
        int done = 0, count = 0;
        Property property = Prop.ForAll(Programs(), program =>
        {
            count++;
            done += program.Steps.Count;
            if (!shows(program))
                return true;
            smallest = program;
            return false;
        });
        for (ulong i = 0; done < steps && smallest == null; i++)
        {
            Replay replay = new(new Rnd(seed + i), FSharpOption<int>.None);
            try
            {
                Check.One(Config.QuickThrowOnFailure.WithMaxTest(atOnce).WithQuietOnSuccess(true).WithReplay(FSharpOption<Replay>.Some(replay)), property);
            }
            catch (Exception) when (smallest != null)
            {
                // The program is the answer.
            }
        }

        programs = count;
        return smallest;
    }
}
