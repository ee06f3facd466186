namespace Weir.Tests;

/// <summary>A test that needs io_uring of the real kernel, and is skipped where that is missing or forbidden.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class IoUringFactAttribute : FactAttribute
{
    public IoUringFactAttribute() => Skip = IoUring.WhyNot;
}

/// <summary>As <see cref="IoUringFactAttribute"/>, for a theory.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class IoUringTheoryAttribute : TheoryAttribute
{
    public IoUringTheoryAttribute() => Skip = IoUring.WhyNot;
}

internal static class IoUring
{
    /// <summary>Why there is none here; null: there is.</summary>
    internal static string? WhyNot { get; } = Ask();

    private static unsafe string? Ask()
    {
        IoUringParameters parameters = default;
        int fd = Kernel.Linux.IoUringSetup(1, &parameters);
        if (fd >= 0)
        {
            Kernel.Linux.Close(fd);
            return null;
        }

        return (Errno)(-fd) is Errno.ENOSYS or Errno.EPERM
            ? $"io_uring_setup: {(Errno)(-fd)}: this kernel has no io_uring, or it is forbidden here (seccomp, kernel.io_uring_disabled)"
            : null; // anything else is for the tests to find
    }
}
