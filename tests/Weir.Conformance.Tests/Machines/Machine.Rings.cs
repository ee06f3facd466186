namespace Weir.Conformance;

// Rings.
public abstract unsafe partial class Machine
{
    /// <summary>How a ring is made if nothing else is said: completions appear when it is entered.</summary>
    public const IoUringSetupFlags Deferring = IoUringSetupFlags.SingleIssuer | IoUringSetupFlags.DeferTaskRun;

    /// <summary>A ring of the calling thread's.</summary>
    public MachineRing Ring(IoUringSetupFlags flags = Deferring, uint entries = 64, uint completions = 256)
    {
        Ring ring = Weir.Ring.Create(Kernel, entries, completions, flags);
        // It must keep its number: the object goes by it.
        Fd fd = Named(NewName("ring"), ring.FileDescriptor);
        Note($"{fd} = io_uring_setup({entries}, {completions}, {flags})");
        var made = new MachineRing(this, ring, fd);
        AtEnd(made.Release);
        return made;
    }

    /// <summary>A name for a descriptor that somebody else closes.</summary>
    private Fd Named(string name, int number)
    {
        lock (_lock)
        {
            _names.Add(name);
            Fd fd = new(name, number, 1_000_000 + (ulong)_byData.Count, FdKind.Other);
            _byData.Add(fd.Id, fd);
            return fd;
        }
    }

    /// <summary>The descriptor that a ring's accept has brought.</summary>
    public Fd Accepted(Fd listener, int number)
    {
        Fd fd = Keep(NewName(listener.Kind == FdKind.Tcp ? "t" : "us"), number, listener.Kind);
        Note($"{fd} = accepted");
        return fd;
    }

    /// <summary>Raw io_uring_setup: a descriptor, which is closed again, or an error.</summary>
    public Outcome TrySetup(uint entries, uint completions, IoUringSetupFlags flags, out IoUringParameters parameters)
    {
        IoUringParameters asked = default;
        asked.Flags = flags;
        asked.CompletionEntries = completions;
        int result = Kernel.IoUringSetup(entries, &asked);
        parameters = asked;
        if (result >= 0)
        {
            Note($"entries {asked.SubmissionEntries} {asked.CompletionEntries}");
            Kernel.Close(result);
        }

        return Call($"io_uring_setup({entries}, {completions}, {flags})", Math.Min(result, 0));
    }
}

/// <summary>A completion as a program sees it.</summary>
public readonly record struct Completed(ulong Data, int Result, CompletionFlags Flags)
{
    /// <summary>Whether the request goes on.</summary>
    public bool HasMore => (Flags & CompletionFlags.More) != 0;

    public override string ToString()
    {
        string flags = (Flags & CompletionFlags.Buffer) != 0 ? $" buffer {(uint)Flags >> 16}" : "";
        if (HasMore)
            flags += " more";
        if ((Flags & CompletionFlags.SocketNotEmpty) != 0)
            flags += " nonempty";
        if ((Flags & CompletionFlags.Notification) != 0)
            flags += " notification";
        return $"{Data}: {Outcome.Show(Result)}{flags}";
    }
}
