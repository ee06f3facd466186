using System.Runtime.InteropServices;

namespace Weir;

/// <summary>Flags of open(2) whose values differ between processors (arch/arm64/include/uapi/asm/fcntl.h beside the generic one).</summary>
public static class ArchitectureFlags
{
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;

    /// <summary>O_DIRECT: past the page cache, between the device and aligned memory.</summary>
    public static FileFlags Direct { get; } = (FileFlags)(IsArm ? 0x10000 : 0x4000);

    /// <summary>O_DIRECTORY: opened only if it is a directory.</summary>
    public static FileFlags Directory { get; } = (FileFlags)(IsArm ? 0x4000 : 0x10000);

    /// <summary>O_NOFOLLOW: a symbolic link is not followed but refused.</summary>
    public static FileFlags NoFollow { get; } = (FileFlags)(IsArm ? 0x8000 : 0x20000);
}
