using System.Runtime.InteropServices;

namespace Weir.Simulation;

/// <summary>Flags of open(2) that the door has no name for, some with other numbers on arm64.</summary>
internal static class OpenFlags
{
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>O_PATH.</summary>
    internal const FileFlags Path = (FileFlags)0x200000;

    /// <summary>O_DIRECT: on a pipe, packets.</summary>
    internal static readonly FileFlags Direct = (FileFlags)(IsArm ? 0x10000 : 0x4000);

    /// <summary>O_DIRECTORY.</summary>
    internal static readonly FileFlags Directory = (FileFlags)(IsArm ? 0x4000 : 0x10000);

    /// <summary>O_LARGEFILE, which open(2) adds in a 64-bit process.</summary>
    internal static readonly FileFlags LargeFile = (FileFlags)(IsArm ? 0x20000 : 0x8000);

    /// <summary>Flags that mean something to the call only and are not kept.</summary>
    internal static readonly FileFlags OfTheCall = FileFlags.Create | FileFlags.Exclusive | FileFlags.Truncate | FileFlags.CloseOnExec;
}
