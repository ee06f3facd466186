namespace Weir;

internal sealed unsafe partial class LinuxKernel
{
    private const int ChildStatusSize = 128; // siginfo_t

    // posix_spawnattr_t has 336 bytes and posix_spawn_file_actions_t 80 in glibc, 336 and 80 in musl.
    private const int OpaqueSize = 1024;

    // Whether the C library can close all descriptors from a number on (glibc 2.34). Starts hopeful; the first failure settles it.
    private static volatile bool s_hasCloseFrom = true;

    public override int Spawn(SpawnRequest* request)
    {
        request->ProcessDescriptor = -1;
        // Set aside before anything runs: who has no descriptor for a child must not start one.
        int reserved = PidFdOpen(Environment.ProcessId);
        if (reserved < 0)
            return reserved;
        int processId;
        try
        {
            processId = Start(request);
        }
        finally
        {
            LibC.close(reserved);
        }

        if (processId < 0)
            return processId;
        // The number is the child's as long as nobody has reaped it, and nobody but us knows of it.
        int pidFd = PidFdOpen(processId);
        if (pidFd < 0 && pidFd != -(int)Errno.ESRCH)
        {
            // Another thread has taken what was set aside.
            Undo(processId);
            return pidFd;
        }

        request->ProcessDescriptor = Math.Max(pidFd, -1);
        return processId;
    }

    private static void Undo(int processId)
    {
        const int KillSignal = 9, ById = 1; // SIGKILL, P_PID
        byte* information = stackalloc byte[ChildStatusSize];
        LibC.kill(processId, KillSignal);
        while (Result(LibC.waitid(ById, (uint)processId, information, (int)WaitFlags.Exited)) == -(int)Errno.EINTR)
        {
            // A signal to this process is no reason to leave the child's remains.
        }
    }

    private static int Start(SpawnRequest* request)
    {
        byte* attributes = stackalloc byte[OpaqueSize];
        byte* actions = stackalloc byte[OpaqueSize];
        int error = LibC.posix_spawnattr_init(attributes);
        if (error != 0)
            return -error;
        error = LibC.posix_spawn_file_actions_init(actions);
        if (error != 0)
        {
            LibC.posix_spawnattr_destroy(attributes);
            return -error;
        }

        error = Describe(request, attributes, actions);
        int processId = 0;
        if (error == 0)
            error = LibC.posix_spawn(&processId, request->Path, actions, attributes, request->Arguments, request->Environment);
        LibC.posix_spawn_file_actions_destroy(actions);
        LibC.posix_spawnattr_destroy(attributes);
        return error == 0 ? processId : -error; // these return the error, and leave errno alone
    }

    private static int Describe(SpawnRequest* request, byte* attributes, byte* actions)
    {
        const short SetProcessGroup = 2, SetSignalDefaults = 4, SetSignalMask = 8; // POSIX_SPAWN_*
        ulong* set = stackalloc ulong[SignalSetWords];
        new Span<ulong>(set, SignalSetWords).Clear();
        int error = LibC.posix_spawnattr_setsigmask(attributes, set);
        new Span<ulong>(set, SignalSetWords).Fill(ulong.MaxValue);
        if (error == 0)
            error = LibC.posix_spawnattr_setsigdefault(attributes, set);
        if (error == 0)
            error = LibC.posix_spawnattr_setflags(attributes, (short)(SetSignalDefaults | SetSignalMask | (request->NewProcessGroup ? SetProcessGroup : 0)));
        if (error == 0 && request->WorkingDirectory != null)
            error = ChangeDirectory(actions, request->WorkingDirectory);
        if (error == 0)
            error = Become(actions, request->StandardInput, 0);
        if (error == 0)
            error = Become(actions, request->StandardOutput, 1);
        if (error == 0)
            error = Become(actions, request->StandardError, 2);
        if (error == 0)
            error = CloseOthers(actions);
        return error;
    }

    // glibc has it since 2.29.
    private static int ChangeDirectory(byte* actions, byte* path)
    {
        try
        {
            return LibC.posix_spawn_file_actions_addchdir_np(actions, path);
        }
        catch (EntryPointNotFoundException)
        {
            return (int)Errno.ENOSYS;
        }
    }

    // All that is opened through the door is close-on-exec; what else this process has open need not be. Where the C library is too old,
    // such a descriptor reaches the child.
    private static int CloseOthers(byte* actions)
    {
        if (!s_hasCloseFrom)
            return 0;
        try
        {
            return LibC.posix_spawn_file_actions_addclosefrom_np(actions, 3);
        }
        catch (EntryPointNotFoundException)
        {
            s_hasCloseFrom = false;
            return 0;
        }
    }

    // dup2 makes a duplicate that survives exec, which the original, close-on-exec like all, does not.
    private static int Become(byte* actions, int fd, int standard) => fd < 0 ? 0 : LibC.posix_spawn_file_actions_adddup2(actions, fd, standard);

    public override int WaitId(int pidFd, WaitFlags flags, out ChildStatus status)
    {
        const int PidFd = 3; // P_PIDFD
        byte* information = stackalloc byte[ChildStatusSize];
        new Span<byte>(information, ChildStatusSize).Clear();
        int result = Result(LibC.waitid(PidFd, (uint)pidFd, information, (int)flags));
        // si_signo, si_errno, si_code, padding, then si_pid, si_uid, si_status (include/uapi/asm-generic/siginfo.h).
        status = result < 0
            ? default
            : new ChildStatus { Code = *(int*)(information + 8), ProcessId = *(int*)(information + 16), Status = *(int*)(information + 24) };
        return result;
    }

    public override int PidFdSendSignal(int pidFd, int signal)
        => (int)Result(LibC.syscall(SystemCallNumbers.PidFdSendSignal, pidFd, signal, 0, 0, 0, 0));
}
