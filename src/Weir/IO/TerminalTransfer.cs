using System.Runtime.CompilerServices;

namespace Weir;

/// <summary>Reads and writes of a terminal: try, and on EAGAIN wait.</summary>
internal static class TerminalTransfer
{
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal static async ValueTask<int> Read(Terminal terminal, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            await terminal.Watcher.WaitReadableAsync(cancellationToken).ConfigureAwait(false);
            nint count = terminal.TryRead(buffer.Span);
            if (count >= 0)
                return (int)count;
            if (count == -(int)Errno.EAGAIN)
                terminal.Watcher.Clear(EpollEvents.In);
            else if (count != -(int)Errno.EINTR)
                throw new KernelException("read", terminal.FileDescriptor, (Errno)(-(int)count));
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    internal static async ValueTask Write(Terminal terminal, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            await terminal.Watcher.WaitWritableAsync(cancellationToken).ConfigureAwait(false);
            nint count = terminal.TryWrite(buffer.Span);
            if (count >= 0)
                buffer = buffer[(int)count..];
            else if (count == -(int)Errno.EAGAIN)
                terminal.Watcher.Clear(EpollEvents.Out);
            else if (count != -(int)Errno.EINTR)
                throw new KernelException("write", terminal.FileDescriptor, (Errno)(-(int)count));
        }
    }
}
