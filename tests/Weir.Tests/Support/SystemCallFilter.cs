using System.Runtime.InteropServices;

namespace Weir.Tests;

/// <summary>A filter of system calls for the calling thread, such as containers have (seccomp(2)). It lasts as long as the thread.</summary>
internal static unsafe partial class SystemCallFilter
{
    private const int SetNoNewPrivileges = 38, SetSeccomp = 22, ModeFilter = 2; // PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    private const ushort LoadWord = 0x20, JumpIfEqual = 0x15, Return = 0x06; // BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
    private const uint Allow = 0x7FFF0000, Refuse = 0x00050000; // SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO

    /// <summary>Has the calling thread's calls of one number fail. False: that is not allowed here.</summary>
    internal static bool TryRefuse(int call, Errno errno)
    {
        Instruction* program = stackalloc Instruction[]
        {
            new Instruction { Code = LoadWord }, // seccomp_data.nr
            new Instruction { Code = JumpIfEqual, Argument = (uint)call, Jumps = 1 << 8 },
            new Instruction { Code = Return, Argument = Refuse | (uint)errno },
            new Instruction { Code = Return, Argument = Allow },
        };
        var filter = new Filter { Length = 4, Program = program };
        return prctl(SetNoNewPrivileges, 1, 0, 0, 0) == 0 && prctl(SetSeccomp, ModeFilter, (nint)(&filter), 0, 0) == 0;
    }

    // struct sock_filter
    private struct Instruction
    {
        internal ushort Code;
        internal ushort Jumps; // a byte where it is so, a byte where it is not: instructions to pass over
        internal uint Argument;
    }

    // struct sock_fprog
    private struct Filter
    {
        internal ushort Length;
        internal Instruction* Program;
    }

#pragma warning disable IDE1006, CA2101 // libc's own name, and no argument is a string.
    [DllImport("libc")] private static extern int prctl(int option, nint a, nint b, nint c, nint d);
#pragma warning restore IDE1006, CA2101
}
