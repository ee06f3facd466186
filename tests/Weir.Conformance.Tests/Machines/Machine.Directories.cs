using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Conformance;

// Names in the file system, and inotify.
public abstract unsafe partial class Machine
{
    private const int EventHeader = 16; // struct inotify_event
    private const int EntryHeader = 19; // struct linux_dirent64

    private readonly Dictionary<uint, int> _cookies = [];
    private string _folder = "";

    /// <summary>Makes a directory of the program's own. From here on its names are relative to that, but for those that begin with a slash.</summary>
    public void MakeFolder()
    {
        _folder = NewPath();
        WithPath("", path => Call("mkdir(folder)", Kernel.MakeDirectory(path, 0x1C0))).Is(0);
        string made = _folder;
        AtEnd(() => Clear(made));
    }

    /// <summary>Removes what the program left in its directory, and that.</summary>
    private protected virtual void Clear(string folder)
    {
    }

    /// <summary>A path as the program knows it: in its own directory.</summary>
    public string PathOf(string name) => name.StartsWith('/') ? name : name.Length == 0 ? _folder : $"{_folder}/{name}";

    private delegate T WithBytes<T>(byte* path);

    private T WithPath<T>(string name, WithBytes<T> use)
    {
        fixed (byte* path = PathText.Encode(PathOf(name), terminated: true))
            return use(path);
    }

    /// <summary>mkdir(2).</summary>
    public Outcome MakeDirectory(string name) => Call($"mkdir({name})", WithPath(name, path => Kernel.MakeDirectory(path, 0x1C0)));

    /// <summary>rmdir(2).</summary>
    public Outcome RemoveDirectory(string name) => Call($"rmdir({name})", WithPath(name, path => Kernel.RemoveDirectory(path)));

    /// <summary>unlink(2).</summary>
    public Outcome Unlink(string name) => Call($"unlink({name})", WithPath(name, path => Kernel.Unlink(path)));

    /// <summary>mkfifo(3).</summary>
    public Outcome MakeFifo(string name) => Call($"mkfifo({name})", WithPath(name, path => Kernel.MakeFifo(path, 0x180)));

    /// <summary>rename(2).</summary>
    public Outcome Rename(string from, string to)
    {
        byte[] target = PathText.Encode(PathOf(to), terminated: true);
        fixed (byte* second = target)
        {
            byte* name = second;
            return Call($"rename({from}, {to})", WithPath(from, path => Kernel.Rename(path, name)));
        }
    }

    /// <summary>open(2); null if the kernel refuses.</summary>
    public Fd? TryOpenFile(string name, FileFlags flags, out Outcome outcome)
    {
        int number = WithPath(name, path => Kernel.Open(path, flags | FileFlags.CloseOnExec, 0x180));
        Fd? fd = number < 0 ? null : Keep(NewName("file"), number, FdKind.Other);
        outcome = Call($"{fd?.ToString() ?? "none"} = open({name}, {flags})", Math.Min(number, 0));
        return fd;
    }

    /// <summary>open(2).</summary>
    public Fd OpenFile(string name, FileFlags flags)
    {
        Fd? fd = TryOpenFile(name, flags, out Outcome outcome);
        outcome.Is(0);
        return fd!;
    }

    /// <summary>Makes an empty file.</summary>
    public void Touch(string name) => Close(OpenFile(name, FileFlags.WriteOnly | FileFlags.Create));

    /// <summary>readv(2) into buffers of these sizes.</summary>
    public Outcome ReadVector(Fd fd, params ReadOnlySpan<int> sizes)
    {
        IoVector* vectors = stackalloc IoVector[sizes.Length];
        byte* bytes = stackalloc byte[4096];
        for (int i = 0; i < sizes.Length; i++)
        {
            vectors[i] = new IoVector { Base = bytes, Length = (nuint)sizes[i] };
            bytes += sizes[i];
        }

        return Call($"readv({fd}, {string.Join(", ", sizes.ToArray())})", Kernel.ReadV(fd.Number, vectors, sizes.Length));
    }

    /// <summary>
    /// Reads a directory to its end, in calls of so many bytes: getdents64(2). What is shown are names and types, in alphabetical order: the
    /// kernel's own is the file system's affair. The result is the last call's.
    /// </summary>
    public Outcome ReadDirectory(Fd fd, int size = 4096)
    {
        List<string> names = [];
        byte[] buffer = new byte[Math.Max(size, 1)];
        int count;
        fixed (byte* bytes = buffer)
        {
            while ((count = Kernel.GetDents64(fd.Number, bytes, (nuint)size)) > 0)
            {
                for (int at = 0; at < count; at += MemoryMarshal.Read<ushort>(buffer.AsSpan(at + 16)))
                {
                    int length = buffer.AsSpan(at + EntryHeader).IndexOf((byte)0);
                    names.Add($"{PathText.Decode(buffer.AsSpan(at + EntryHeader, length))}:{buffer[at + EntryHeader - 1]}");
                }
            }
        }

        names.Sort(StringComparer.Ordinal);
        return Call($"getdents64({fd}, {size}): {string.Join(' ', names)}, then", count);
    }

    /// <summary>inotify_init1(2).</summary>
    public Fd Inotify()
    {
        Fd fd = Keep(NewName("in"), Kernel.InotifyInit(), FdKind.Other);
        Note($"{fd} = inotify_init1()");
        return fd;
    }

    /// <summary>inotify_add_watch(2); the result is the watch descriptor.</summary>
    public Outcome Watch(Fd inotify, string name, InotifyEvents events = InotifyEvents.All)
        => Call($"inotify_add_watch({inotify}, {name}, {events})", WithPath(name, path => Kernel.InotifyAddWatch(inotify.Number, path, events)));

    /// <summary>inotify_rm_watch(2).</summary>
    public Outcome Unwatch(Fd inotify, long watch) => Call($"inotify_rm_watch({inotify}, {watch})", Kernel.InotifyRemoveWatch(inotify.Number, (int)watch));

    /// <summary>Reads events once, and shows them: cookies by the order in which they first came.</summary>
    public EventsOutcome ReadEvents(Fd inotify, int size = 16384)
    {
        byte[] buffer = new byte[Math.Max(size, 1)];
        nint count;
        fixed (byte* bytes = buffer)
            count = Kernel.Read(inotify.Number, bytes, (nuint)size);
        List<string> events = [];
        for (int at = 0; at < count;)
        {
            ReadOnlySpan<byte> one = buffer.AsSpan(at);
            int length = MemoryMarshal.Read<int>(one[12..]);
            ReadOnlySpan<byte> name = one.Slice(EventHeader, length);
            int end = name.IndexOf((byte)0);
            bool isPadded = name.Length % EventHeader == 0 && !name[Math.Max(end, 0)..].ContainsAnyExcept((byte)0);
            StringBuilder text = new($"{MemoryMarshal.Read<int>(one)} {Masks.Show((InotifyEvents)MemoryMarshal.Read<uint>(one[4..]))}");
            if (length > 0)
                text.Append($" {PathText.Decode(name[..end])}/{length}{(isPadded ? "" : " (not padded)")}");
            if (MemoryMarshal.Read<uint>(one[8..]) is not 0 and uint cookie)
                text.Append($" #{Cookie(cookie)}");
            events.Add(text.ToString());
            at += EventHeader + length;
        }

        string call = $"read({inotify}, {size})";
        Note($"{call} = {Outcome.Show(count)}: {string.Join(", ", events)}");
        return new EventsOutcome(this, call, count, events);
    }

    private int Cookie(uint cookie)
    {
        if (!_cookies.TryGetValue(cookie, out int number))
            _cookies.Add(cookie, number = _cookies.Count + 1);
        return number;
    }
}

/// <summary>Events that were read from an inotify instance, or an error.</summary>
public readonly struct EventsOutcome
{
    private readonly Machine _machine;
    private readonly string _call;

    internal EventsOutcome(Machine machine, string call, nint result, IReadOnlyList<string> events)
    {
        _machine = machine;
        _call = call;
        Result = result;
        Events = events;
    }

    /// <summary>The result of the door.</summary>
    public nint Result { get; }

    /// <summary>The events as the transcript shows them: watch, mask, name/length, #cookie.</summary>
    public IReadOnlyList<string> Events { get; }

    /// <summary>Fails the program if they are others, where names are shown without their lengths.</summary>
    public EventsOutcome Are(params ReadOnlySpan<string> expected)
    {
        string[] wanted = [.. expected];
        string[] got = [.. Events.Select(one => System.Text.RegularExpressions.Regex.Replace(one, @"/\d+", ""))];
        if (!got.SequenceEqual(wanted))
            _machine.Fail($"{_call} gave\n{string.Join('\n', got)}\nand not\n{string.Join('\n', wanted)}");
        return this;
    }

    /// <summary>Fails the program if the read did not fail so.</summary>
    public EventsOutcome Is(Errno expected)
    {
        if (Result != -(int)expected)
            _machine.Fail($"{_call} gave {Outcome.Show(Result)} and not {expected}");
        return this;
    }
}
