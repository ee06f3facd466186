using System.Buffers.Binary;

namespace Weir.Simulation;

/// <summary>What the kernel does with memory that it owns across calls.</summary>
internal enum BufferUse
{
    /// <summary>Reads it: a program that changes it sends something else than it meant to.</summary>
    KernelReads,

    /// <summary>Writes into it: what a program puts there is overwritten, and what it reads there means nothing yet.</summary>
    KernelWrites,
}

/// <summary>
/// Ranges of a program's memory that the kernel owns from a submission to its completion. A checksum of each is taken when it is lent and
/// compared when it is given back, so that a buffer changed meanwhile, or lent twice, is found; which of the two it was is said.
/// </summary>
/// <remarks>
/// The kernel itself writes through <see cref="Deliver"/>, which is no change. Called with the kernel held, between the beginning and the end of
/// a call or from a timed event: findings come out at the end of the call in progress, or the next.
/// </remarks>
internal sealed unsafe class BufferLedger(World world, bool watches)
{
    private readonly Dictionary<long, Loan> _loans = [];
    private long _last;

    private readonly record struct Loan(nuint Start, nuint Length, BufferUse Use, string For, CallPlace Lent, ulong Checksum)
    {
        internal bool Overlaps(nuint start, nuint length) => start < Start + Length && Start < start + length;
    }

    /// <summary>Ranges lent at this moment.</summary>
    internal int Count => _loans.Count;

    /// <summary>
    /// The kernel takes a range over for an operation that <paramref name="what"/> names ("recv on fd 7"). Returns the number to give it back
    /// by; 0: nobody watches.
    /// </summary>
    internal long Lend(void* start, nuint length, BufferUse use, string what)
    {
        if (!watches || length == 0)
            return 0;
        foreach (Loan loan in _loans.Values)
        {
            // Two that only read it do not disturb each other.
            if (!loan.Overlaps((nuint)start, length) || (use == BufferUse.KernelReads && loan.Use == BufferUse.KernelReads))
                continue;
            world.Detectors.Found(
                FindingKind.BufferReuse,
                $"The buffer of {what} overlaps the one that {loan.For} owns, lent {loan.Lent} and not given back yet.",
                "Keep a buffer until its operation has completed; a cancelled operation has not completed before its completion arrives.");
        }

        _loans.Add(++_last, new Loan((nuint)start, length, use, what, CallPlace.Here(world), Sum(start, length)));
        return _last;
    }

    /// <summary>Writes a result into a range that was lent for it.</summary>
    internal void Deliver(long number, nuint offset, ReadOnlySpan<byte> bytes, void* start)
    {
        Check(number);
        bytes.CopyTo(new Span<byte>((byte*)start + offset, bytes.Length));
        if (_loans.TryGetValue(number, out Loan loan))
            _loans[number] = loan with { Checksum = Sum((void*)loan.Start, loan.Length) };
    }

    /// <summary>Compares a range with what it was when it was lent. False: it was changed, which is a finding.</summary>
    internal bool Check(long number)
    {
        if (!_loans.TryGetValue(number, out Loan loan) || Sum((void*)loan.Start, loan.Length) == loan.Checksum)
            return true;
        world.Detectors.Found(
            FindingKind.BufferReuse,
            $"The buffer of {loan.For} ({loan.Length} bytes, lent {loan.Lent}) was changed while the kernel owned it"
            + (loan.Use == BufferUse.KernelReads ? ": what is sent is not what was handed over." : ": what was put there is overwritten."),
            "Do not touch a buffer, nor return it to a pool, before its operation has completed.");
        return false;
    }

    /// <summary>The operation has completed: the range is the program's again. False: it was changed meanwhile.</summary>
    internal bool GiveBack(long number)
    {
        bool whole = Check(number);
        _loans.Remove(number);
        return whole;
    }

    /// <summary>The range is the program's again, whatever has become of it: the kernel itself has written there, or will not any more.</summary>
    internal void Forget(long number) => _loans.Remove(number);

    /// <summary>The program unmaps memory. What the kernel owns of it is found, and no longer looked at. False: there was such.</summary>
    internal bool Unmapped(void* start, nuint length)
    {
        long[] lost = [.. _loans.Where(entry => entry.Value.Overlaps((nuint)start, length)).Select(entry => entry.Key)];
        foreach (long number in lost)
        {
            Loan loan = _loans[number];
            world.Detectors.Found(
                FindingKind.BufferReuse,
                $"The buffer of {loan.For} ({loan.Length} bytes, lent {loan.Lent}) was unmapped while the kernel owned it.",
                "Unmap memory when the operations that name it have completed, and the groups of buffers in it have been unregistered.");
            _loans.Remove(number);
        }

        return lost.Length == 0;
    }

    // FNV-1a over words: a few bits changed anywhere show, which is all that is asked of it.
    private static ulong Sum(void* start, nuint length)
    {
        const ulong Prime = 0x100000001B3;
        ulong sum = 0xCBF29CE484222325;
        var bytes = new ReadOnlySpan<byte>(start, checked((int)length));
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            sum = ulong.RotateLeft((sum ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes)) * Prime, 23);
        foreach (byte one in bytes)
            sum = (sum ^ one) * Prime;
        return sum;
    }
}
