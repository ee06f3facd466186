namespace Weir.Simulation;

/// <summary>A file that cannot be polled: what epoll refuses with EPERM. Reads find the end, writes go nowhere.</summary>
internal sealed class NullFile(World world, string path, FileFlags flags) : SimFile(world, flags)
{
    internal override string Kind => path;

    internal override bool CanPoll => false;

    internal override WaitQueue WaitQueue { get; } = new();

    internal override EpollEvents Poll() => EpollEvents.None;

    internal override nint Read(SimThread thread, ref UserBuffer buffer) => 0;

    internal override nint Write(SimThread thread, ref UserBuffer buffer) => (nint)buffer.Length;
}
