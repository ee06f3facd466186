namespace Weir.Simulation;

/// <summary>A call that is about to be made, for those who decide whether it fails.</summary>
/// <param name="Kernel">The process's kernel.</param>
/// <param name="Call">Which call.</param>
/// <param name="Descriptor">The descriptor it is about (of epoll_ctl the one that is watched); -1: none.</param>
/// <param name="FileKind">The kind of file behind it, as findings show it; empty: none.</param>
/// <param name="Thread">The name of the thread or loop.</param>
public readonly record struct FaultCall(SimKernel Kernel, SystemCall Call, int Descriptor, string FileKind, string Thread);
