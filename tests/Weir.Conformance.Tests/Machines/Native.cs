using System.Runtime.InteropServices;

namespace Weir.Conformance;

#pragma warning disable IDE1006, CA2101 // The names are libc's own, and no argument is a string.

/// <summary>Calls of libc that the door has no need for, and programs here do.</summary>
internal static unsafe class Native
{
    private const string Name = "libc";

    internal const int CloneFiles = 0x400;
    internal const int ProtRead = 1;
    internal const int ProtWrite = 2;
    internal const int MapPrivateAnonymous = 0x22;
    internal const int SigBlock = 0;
    internal const int SigKill = 9;
    internal const int WaitForPid = 1; // P_PID
    internal const int WaitExited = 4;
    internal const int WaitKeep = 0x1000000; // WNOWAIT

    [DllImport(Name)] internal static extern uint geteuid();
    [DllImport(Name)] internal static extern int gettid();
    [DllImport(Name)] internal static extern nint pthread_self();
    [DllImport(Name)] internal static extern int pthread_kill(nint thread, int signal);
    [DllImport(Name)] internal static extern int pthread_sigmask(int how, SignalSet* set, SignalSet* old);
    [DllImport(Name)] internal static extern nint signal(int signal, nint handler);
    [DllImport(Name)] internal static extern int sigpending(SignalSet* set);
    [DllImport(Name)] internal static extern int epoll_pwait(int epfd, void* events, int max, int timeout, SignalSet* set);
    [DllImport(Name)] internal static extern int epoll_create(int size);
    [DllImport(Name)] internal static extern int unshare(int flags);
    [DllImport(Name)] internal static extern int memfd_create(byte* name, uint flags);
    [DllImport(Name)] internal static extern byte* mmap(void* address, nuint length, int protection, int flags, int fd, nint offset);
    [DllImport(Name)] internal static extern int mprotect(void* address, nuint length, int protection);
    [DllImport(Name)] internal static extern int munmap(void* address, nuint length);
    [DllImport(Name)] internal static extern int kill(int process, int signal);
    [DllImport(Name)] internal static extern int posix_spawnp(int* process, byte* file, void* actions, void* attributes, byte** arguments, byte** environment);
    [DllImport(Name)] internal static extern int waitid(int kind, int process, void* information, int options);
    [DllImport(Name)] internal static extern nint syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    /// <summary>As the door returns it: the result, or the negated error number.</summary>
    internal static int Result(int result) => result >= 0 ? result : -Marshal.GetLastSystemError();

    /// <summary>The address of a function that takes an int and touches nothing: it can serve as a handler in any thread at any moment.</summary>
    internal static nint HarmlessHandler { get; } = NativeLibrary.GetExport(NativeLibrary.Load(Name, typeof(Native).Assembly, null), "abs");
}

/// <summary>A set of signals: sigset_t, which libc keeps at 1024 bits.</summary>
internal unsafe struct SignalSet
{
    private fixed ulong _words[16];

    internal static SignalSet Of(Signal signal)
    {
        SignalSet set = default;
        set._words[0] = 1ul << ((int)signal - 1);
        return set;
    }

    internal readonly bool Contains(Signal signal) => (_words[0] & (1ul << ((int)signal - 1))) != 0;

    internal void Remove(Signal signal) => _words[0] &= ~(1ul << ((int)signal - 1));
}
