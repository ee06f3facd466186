using System.Diagnostics;
using System.Text;

namespace Weir.Conformance;

public sealed unsafe partial class LinuxMachine
{
    // The loopback delivers within the call that sends, unless the processor's budget for that is used up; then a kernel thread goes on.
    private static readonly TimeSpan Still = TimeSpan.FromMilliseconds(4);

    // Something may be under way for good, such as a FIN behind data for which the peer has no room.
    private static readonly TimeSpan StillDespiteWork = TimeSpan.FromMilliseconds(300);

    /// <summary>Whether to take two equal looks in a row for rest: nearly always right, and much faster. Defaults to false.</summary>
    public bool IsHasty { get; init; }

    /// <summary>
    /// Waits until the TCP sockets tell the same for some time and nothing waits for an acknowledgement. Looks without poll(2), which would
    /// make a socket that is full promise an event when it no longer is.
    /// </summary>
    public override void Settle()
    {
        long start = Stopwatch.GetTimestamp(), since = start;
        string last = "";
        while (Stopwatch.GetElapsedTime(start) < Patience)
        {
            string now = DescribeNetwork(out bool working);
            if (now != last)
                since = Stopwatch.GetTimestamp();
            else if (Stopwatch.GetElapsedTime(since) >= (working ? StillDespiteWork : IsHasty ? TimeSpan.Zero : Still))
                return;
            last = now;
            if (!IsHasty)
                Thread.Sleep(1);
        }

        Fail("the network does not come to rest");
    }

    private string DescribeNetwork(out bool working)
    {
        const SocketOption tcpInfo = (SocketOption)11;
        const uint SIOCINQ = 0x541B, SIOCOUTQ = 0x5411;
        const int unacknowledged = 24; // offset in struct tcp_info
        working = false;
        StringBuilder text = new();
        byte* info = stackalloc byte[256];
        foreach (Fd fd in OpenDescriptors(FdKind.Tcp))
        {
            // Makes the kernel send an acknowledgement that it has put off.
            int on = 1;
            Kernel.SetSockOpt(fd.Number, SocketLevel.Tcp, SocketOption.TcpQuickAck, &on, sizeof(int));
            uint length = 256;
            if (Kernel.GetSockOpt(fd.Number, SocketLevel.Tcp, tcpInfo, info, &length) < 0)
                continue;
            int state = info[0], readable = 0, unsent = 0;
            uint flying = *(uint*)(info + unacknowledged);
            Kernel.Ioctl(fd.Number, SIOCINQ, &readable);
            Kernel.Ioctl(fd.Number, SIOCOUTQ, &unsent);
            // SYN_RECV, FIN_WAIT1, LAST_ACK, CLOSING. A listener has connections waiting where others have segments; SYN_SENT may last.
            const int synSent = 2, listening = 10;
            working |= state is 3 or 4 or 9 or 11 || (flying > 0 && state is not synSent and not listening);
            text.Append(state).Append(',').Append(flying).Append(',').Append(readable).Append(',').Append(unsent).Append('|');
        }

        return text.ToString();
    }
}
