using Weir.Net;

namespace Weir.Conformance.Scenarios;

/// <summary>A test that makes use of being root; left out where nobody is.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = Native.geteuid() == 0 ? null : "Only root may do what this does.";
}

/// <summary>Who sends, as the sender says and the kernel lets it.</summary>
[Collection(Alone.Name)]
public sealed class CredentialScenarios : ConformanceTests
{
    private const int Absent = 0x3FFF_FFFF; // above the highest number that a process can have

    [Theory, InlineData(SocketKind.Stream), InlineData(SocketKind.Datagram), InlineData(SocketKind.SeqPacket)]
    public void A_process_may_say_that_it_is_itself(SocketKind kind) => Run(m =>
    {
        (Fd a, Fd b) = m.SocketPair(kind);
        ProcessCredentials self = m.OwnCredentials;
        m.SendCredentials(a, "itself", self).Is(1);
        m.ReceiveCredentials(b, 1, ("itself", self)).Is(1); // who has not asked is not told
        m.SendCredentials(a, "itself", self).Is(1);
        m.SetOption(b, SocketOption.SocketPassCredentials, 1).Is(0);
        m.ReceiveCredentials(b, 1, ("itself", self)).Is(1); // said when it was not asked for, and kept
        m.SendCredentials(a, "itself", self).Is(1);
        m.Send(a, 1).Is(1); // the kernel says the same
        m.ReceiveCredentials(b, 2, ("itself", self)).Is(kind == SocketKind.Stream ? 2 : 1);
        if (kind != SocketKind.Stream)
            m.ReceiveCredentials(b, 2, ("itself", self)).Is(1);
        m.SendCredentials(a, "a user that cannot be", self with { UserId = uint.MaxValue }).Is(EINVAL);
        m.SendCredentials(a, "a group that cannot be", self with { GroupId = uint.MaxValue }).Is(EINVAL);
        foreach (int length in (int[])[0, 4, 11, 13, 24])
            m.SendCredentials(a, length).Is(EINVAL);
        m.Close(b);
        m.SendCredentials(a, "itself", self).Is(kind == SocketKind.Datagram ? ECONNREFUSED : EPIPE);
    });

    [RootFact]
    public void Root_may_say_that_it_is_anybody_who_exists() => Run(m =>
    {
        (Fd a, Fd b) = m.SocketPair();
        m.SetOption(b, SocketOption.SocketPassCredentials, 1).Is(0);
        ProcessCredentials self = m.OwnCredentials, other = self with { UserId = 12_345, GroupId = 23_456 };
        MachineChild child = m.StartChild();
        ProcessCredentials ofChild = self with { ProcessId = child.Id };
        m.SendCredentials(a, "another user", other).Is(1);
        m.SendCredentials(a, "its child", ofChild).Is(1);
        m.SendCredentials(a, "itself and then its child", self, ofChild).Is(1); // the last word counts
        m.Send(a, 1).Is(1);
        m.ReceiveCredentials(b, 10, ("itself", self), ("other", other), ("child", ofChild)).Is(1);
        m.ReceiveCredentials(b, 10, ("itself", self), ("other", other), ("child", ofChild)).Is(2); // of one sender
        m.ReceiveCredentials(b, 10, ("itself", self), ("other", other), ("child", ofChild)).Is(1);
        m.SendCredentials(a, "nobody", self with { ProcessId = Absent }).Is(ESRCH);
        m.SendCredentials(a, "process 0", self with { ProcessId = 0 }).Is(ESRCH);
        m.SendCredentials(a, "process -1", self with { ProcessId = -1 }).Is(ESRCH);
        m.SendCredentials(a, "nobody, and no user", self with { ProcessId = Absent, UserId = uint.MaxValue }).Is(EINVAL);
        m.End(child);
        m.Reap(child).Is(0);
        m.SendCredentials(a, "its child that was", ofChild).Is(ESRCH);
        m.Receive(b, 10).Is(EAGAIN);
    });

    [RootFact]
    public void Others_may_say_that_they_are_themselves_and_nobody_else() => Run(m =>
    {
        ProcessCredentials root = m.OwnCredentials;
        (Fd a, Fd b) = m.SocketPair();
        MachineChild child = m.StartChild();
        m.SetOption(b, SocketOption.SocketPassCredentials, 1).Is(0);
        m.BecomeUser(12_345, 23_456);
        ProcessCredentials self = m.OwnCredentials;
        m.Expect((self.UserId, self.GroupId) == (12_345u, 23_456u), "it is another now");
        m.Send(a, 1).Is(1);
        m.SendCredentials(a, "itself", self).Is(1);
        m.ReceiveCredentials(b, 10, ("root", root), ("itself", self)).Is(2);
        m.SendCredentials(a, "root", root).Is(EPERM);
        m.SendCredentials(a, "another user", self with { UserId = 12_346 }).Is(EPERM);
        m.SendCredentials(a, "another group", self with { GroupId = 0 }).Is(EPERM);
        m.SendCredentials(a, "its child", self with { ProcessId = child.Id }).Is(EPERM);
        m.SendCredentials(a, "nobody", self with { ProcessId = Absent }).Is(EPERM);
        m.SendCredentials(a, "no user", self with { UserId = uint.MaxValue }).Is(EINVAL);
        m.Receive(b, 10).Is(EAGAIN);
    });
}
