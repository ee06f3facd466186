using Weir.Net;

namespace Weir.Conformance;

// Who a process is, and says it is: SCM_CREDENTIALS of unix(7).
public abstract unsafe partial class Machine
{
    /// <summary>What is said of the process that the calling thread belongs to.</summary>
    public ProcessCredentials OwnCredentials
    {
        get
        {
            int* fds = stackalloc int[2];
            ProcessCredentials self = default;
            uint length = (uint)sizeof(ProcessCredentials);
            if (Kernel.SocketPair(SocketDomain.Unix, SocketKind.Stream, 0, fds) < 0 || Kernel.GetSockOpt(fds[0], SocketLevel.Socket, SocketOption.SocketPeerCredentials, &self, &length) < 0)
                Fail("a process does not know itself");
            Kernel.Close(fds[0]);
            Kernel.Close(fds[1]);
            return self;
        }
    }

    /// <summary>Makes the calling thread another user's: the whole process on the emulated kernel, where a program that does so has one thread.</summary>
    public void BecomeUser(uint user, uint group)
    {
        Note($"setresgid({group}), setresuid({user})");
        ChangeUser(user, group);
    }

    private protected abstract void ChangeUser(uint user, uint group);

    /// <summary>sendmsg(2) of one letter that comes from such a process. Numbers of processes are each kernel's own, so <paramref name="who"/> stands for them.</summary>
    public Outcome SendCredentials(Fd fd, string who, params ReadOnlySpan<ProcessCredentials> senders)
    {
        var ancillary = new AncillaryData();
        foreach (ProcessCredentials sender in senders)
            ancillary.Add(sender);
        return SendLetter(fd, who, ancillary);
    }

    /// <summary>The same with credentials of another length.</summary>
    public Outcome SendCredentials(Fd fd, int length)
    {
        var ancillary = new AncillaryData();
        ancillary.Add(SocketLevel.Socket, ControlMessageType.SocketCredentials, new byte[length]);
        return SendLetter(fd, $"{length} bytes", ancillary);
    }

    private Outcome SendLetter(Fd fd, string who, AncillaryData ancillary)
    {
        byte letter = (byte)'c';
        var vector = new IoVector { Base = &letter, Length = 1 };
        fixed (byte* control = ancillary.Buffer)
        {
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)ancillary.Length };
            return Call($"sendmsg({fd}, from {who})", Kernel.SendMessage(fd.Number, &message, MessageFlags.NoSignal));
        }
    }

    /// <summary>recvmsg(2) of up to so many letters, and who sent them: one of those that are known by name, or the user and group of another.</summary>
    public Outcome ReceiveCredentials(Fd fd, int count, params ReadOnlySpan<(string Name, ProcessCredentials Credentials)> known)
    {
        byte* letters = stackalloc byte[count];
        byte* control = stackalloc byte[64];
        var vector = new IoVector { Base = letters, Length = (nuint)count };
        var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 64 };
        nint result = Kernel.ReceiveMessage(fd.Number, &message, MessageFlags.None);
        string from = "nobody";
        if (ProcessCredentials.TryFind(new ControlMessageReader(new ReadOnlySpan<byte>(control, (int)message.ControlLength)), out ProcessCredentials found))
        {
            from = $"a process of {found.UserId}, {found.GroupId}";
            foreach ((string name, ProcessCredentials credentials) in known)
                from = found == credentials ? name : from;
        }

        return Call($"recvmsg({fd}) from {from}", result);
    }
}
