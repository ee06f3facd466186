namespace Weir.Simulation;

// Ancillary data of sendmsg(2) and recvmsg(2): net/core/scm.c.
public sealed unsafe partial class SimKernel
{
    // struct cmsghdr on 64-bit systems: length (8 bytes, header included), level, type, data; aligned to 8.
    private const int ControlHeader = 16;
    private const int ScmRights = 1;
    private const int ScmCredentials = 2;
    private const int MostFiles = 253; // SCM_MAX_FD

    // __scm_send. What was taken so far is dropped by the caller.
    internal int TakeControl(MessageHeader* message, MessageExtras extras)
    {
        nuint at = 0;
        while (message->Control != null && at + ControlHeader <= message->ControlLength)
        {
            byte* header = (byte*)message->Control + at;
            if (!UserMemory.IsMapped(header, ControlHeader))
                return -(int)Errno.EFAULT;
            nuint length = *(nuint*)header;
            if (length < ControlHeader || at + length > message->ControlLength)
                return -(int)Errno.EINVAL;
            if (*(int*)(header + 8) == (int)SocketLevel.Socket)
            {
                int error = *(int*)(header + 12) switch
                {
                    ScmRights => TakeFiles((int*)(header + ControlHeader), (int)(length - ControlHeader) / sizeof(int), extras),
                    ScmCredentials => TakeCredentials(header + ControlHeader, length - ControlHeader, extras),
                    _ => -(int)Errno.EINVAL,
                };
                if (error < 0)
                    return error;
            }
            else
            {
                var data = new ReadOnlySpan<byte>(header + ControlHeader, (int)(length - ControlHeader));
                (extras.Controls ??= []).Add(new ControlEntry((SocketLevel)(*(int*)(header + 8)), *(int*)(header + 12), data.ToArray()));
            }

            at += (length + 7) & ~(nuint)7;
        }

        return 0;
    }

    private int TakeFiles(int* numbers, int count, MessageExtras extras)
    {
        if (count + (extras.Files?.Count ?? 0) > MostFiles)
            return -(int)Errno.EINVAL;
        for (int i = 0; i < count; i++)
        {
            SimFile? file = Descriptors.Find(numbers[i]);
            if (file == null)
                return -(int)Errno.EBADF;
            file.Acquire();
            (extras.Files ??= []).Add(file);
        }

        return 0;
    }

    // scm_check_creds, and what follows it: who is not root names itself, root any user and any process that exists.
    private int TakeCredentials(byte* data, nuint length, MessageExtras extras)
    {
        if (length != UnixCredentials.Size)
            return -(int)Errno.EINVAL;
        var claimed = new UnixCredentials(*(int*)data, *(uint*)(data + 4), *(uint*)(data + 8));
        if (claimed.User == NoId || claimed.Group == NoId)
            return -(int)Errno.EINVAL;
        if (!IsPrivileged && claimed != UnixCredentials.Of(this))
            return -(int)Errno.EPERM;
        if (Machine.FindProcess(claimed.Process) == null)
            return -(int)Errno.ESRCH;
        extras.Credentials = claimed;
        return 0;
    }

    // scm_recv: who sent it, then what was sent along.
    internal void PutControl(MessageHeader* message, MessageExtras extras, MessageFlags flags)
    {
        byte* at = (byte*)message->Control;
        nuint room = at == null ? 0 : message->ControlLength;
        nuint left = room;
        if (extras.Credentials is { } credentials)
            PutCredentials(message, ref at, ref left, credentials);
        if (extras.Files is { Count: > 0 } files)
            PutFiles(message, ref at, ref left, files, flags);
        foreach (ControlEntry entry in extras.Controls ?? [])
            Put(message, ref at, ref left, entry);
        message->ControlLength = room - left;
    }

    // put_cmsg
    private static void Put(MessageHeader* message, ref byte* at, ref nuint left, ControlEntry entry)
    {
        int length = ControlHeader + entry.Data.Length;
        if (left < (nuint)length)
            message->Flags |= MessageFlags.ControlTruncated;
        if (left < ControlHeader)
            return;
        int written = (int)Math.Min(left, (nuint)length);
        PutHeader(at, (nuint)written, entry.Type);
        *(int*)(at + 8) = (int)entry.Level;
        entry.Data.AsSpan(0, written - ControlHeader).CopyTo(new Span<byte>(at + ControlHeader, written - ControlHeader));
        Advance(ref at, ref left, length);
    }

    // put_cmsg: what does not fit is cut off.
    private static void PutCredentials(MessageHeader* message, ref byte* at, ref nuint left, in UnixCredentials credentials)
    {
        const MessageFlags ControlTruncated = UnixSocket.ControlTruncated;
        if (left < ControlHeader)
        {
            message->Flags |= ControlTruncated;
            return;
        }

        nuint length = ControlHeader + UnixCredentials.Size;
        if (left < length)
        {
            message->Flags |= ControlTruncated;
            length = left;
        }

        byte* data = stackalloc byte[UnixCredentials.Size];
        *(int*)data = credentials.Process;
        *(uint*)(data + 4) = credentials.User;
        *(uint*)(data + 8) = credentials.Group;
        PutHeader(at, length, ScmCredentials);
        new ReadOnlySpan<byte>(data, (int)length - ControlHeader).CopyTo(new Span<byte>(at + ControlHeader, (int)length - ControlHeader));
        Advance(ref at, ref left, ControlHeader + UnixCredentials.Size);
    }

    // scm_detach_fds: as many as fit and as there are numbers for; the others are closed.
    private void PutFiles(MessageHeader* message, ref byte* at, ref nuint left, List<SimFile> files, MessageFlags flags)
    {
        int fits = left <= ControlHeader ? 0 : (int)((left - ControlHeader) / sizeof(int));
        int given = 0;
        foreach (SimFile file in files)
        {
            int fd = given < fits ? Install(file, (flags & MessageFlags.CloseOnExec) != 0) : -1;
            if (fd >= 0)
                ((int*)(at + ControlHeader))[given++] = fd;
            else
                fits = 0;
            file.Drop(); // the message's own reference
        }

        if (given < files.Count)
            message->Flags |= UnixSocket.ControlTruncated;
        if (given == 0)
            return;
        PutHeader(at, (nuint)(ControlHeader + given * sizeof(int)), ScmRights);
        Advance(ref at, ref left, ControlHeader + given * sizeof(int));
    }

    private static void PutHeader(byte* at, nuint length, int type)
    {
        *(nuint*)at = length;
        *(int*)(at + 8) = (int)SocketLevel.Socket;
        *(int*)(at + 12) = type;
    }

    private static void Advance(ref byte* at, ref nuint left, int length)
    {
        nuint space = Math.Min(left, (nuint)((length + 7) & ~7));
        at += space;
        left -= space;
    }
}
