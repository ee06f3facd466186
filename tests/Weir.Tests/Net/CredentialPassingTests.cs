using Weir.Net;

namespace Weir.Tests;

/// <summary>Who says over a unix socket who he is, and what the kernel lets him say.</summary>
public class CredentialPassingTests : NetTestBase
{
    private const int Nobody = 0x3FFF_FFFF; // above the highest number that a process can have

    private static ProcessCredentials Self(Connection ofAPair) => ofAPair.PeerCredentials;

    [Fact]
    public void A_stream_says_who_sends_and_descriptors_go_along() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        server.PassCredentials = true;
        ProcessCredentials self = Self(client);
        byte[] buffer = new byte[100];
        int[] fds = new int[2];
        await client.SendCredentialsAsync(Bytes("me"), self);
        Assert.Equal(new ReceivedDescriptors(2, 0, false, self), await server.ReceiveDescriptorsAsync(buffer, fds));

        int counter = Door.EventFd(0, EventFdFlags.NonBlock | EventFdFlags.CloseOnExec);
        await client.SendCredentialsAsync(Bytes("more"), self, new[] { counter, counter });
        Assert.Equal(new ReceivedDescriptors(4, 2, false, self), await server.ReceiveDescriptorsAsync(buffer, fds));
        foreach (int fd in new[] { counter, fds[0], fds[1] })
            Assert.Equal(0, Door.Close(fd));

        await Assert.ThrowsAsync<ArgumentException>(async () => await client.SendCredentialsAsync(default, self));
    });

    [Fact]
    public void Who_has_not_asked_is_not_told() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        await client.SendCredentialsAsync(Bytes("me"), Self(client));
        Assert.Equal(new ReceivedDescriptors(2, 0, false, null), await server.ReceiveDescriptorsAsync(new byte[10], default));
    });

    [Fact]
    public void A_datagram_says_who_sends() => Run(async () =>
    {
        (DatagramSocket sender, DatagramSocket receiver) = DatagramSocket.CreatePair();
        using DatagramSocket first = sender, second = receiver;
        (Connection one, Connection other) = Connection.CreatePair();
        using Connection third = one, fourth = other;
        Assert.False(receiver.PassCredentials);
        receiver.PassCredentials = true;
        Assert.True(receiver.PassCredentials);
        ProcessCredentials self = Self(one);
        AncillaryData said = new(), told = new();
        said.Add(self);
        await sender.SendMessageAsync(Bytes("me"), null, said);
        await sender.SendAsync(Bytes("plain"));
        Assert.Equal(2, await receiver.ReceiveMessageAsync(new byte[10], null, told));
        Assert.True(ProcessCredentials.TryFind(told.Messages, out ProcessCredentials found));
        Assert.Equal(self, found);
        Assert.Equal(5, await receiver.ReceiveMessageAsync(new byte[10], null, told)); // by the kernel itself
        Assert.True(ProcessCredentials.TryFind(told.Messages, out found));
        Assert.Equal(self, found);

        receiver.PassCredentials = false;
        await sender.SendMessageAsync(Bytes("me"), null, said);
        await receiver.ReceiveMessageAsync(new byte[10], null, told);
        Assert.False(ProcessCredentials.TryFind(told.Messages, out _));
    });

    [Fact]
    public void What_the_kernel_does_not_let_one_say_is_an_error_and_nothing_goes() => Run(async () =>
    {
        (Connection client, Connection server) = Connection.CreatePair();
        using Connection first = client, second = server;
        (DatagramSocket sender, DatagramSocket receiver) = DatagramSocket.CreatePair();
        using DatagramSocket third = sender, fourth = receiver;
        ProcessCredentials self = Self(client);
        var said = new AncillaryData();
        said.Add(self);

        Door.FailNext(nameof(Kernel.SendMessage), Errno.EPERM);
        AssertForbidden(await Assert.ThrowsAsync<KernelException>(async () => await client.SendCredentialsAsync(Bytes("x"), self)), client.FileDescriptor);
        Door.FailNext(nameof(Kernel.SendMessage), Errno.EPERM);
        AssertForbidden(await Assert.ThrowsAsync<KernelException>(async () => await sender.SendMessageAsync(Bytes("x"), null, said)), sender.FileDescriptor);

        // Root may name others, but none that does not exist.
        said.Clear();
        said.Add(self with { ProcessId = Nobody });
        Errno[] refusals =
        [
            (await Assert.ThrowsAsync<KernelException>(async () => await client.SendCredentialsAsync(Bytes("x"), self with { ProcessId = Nobody }))).Errno,
            (await Assert.ThrowsAsync<KernelException>(async () => await sender.SendMessageAsync(Bytes("x"), null, said))).Errno,
        ];
        Assert.All(refusals, errno => Assert.Equal(self.UserId == 0 ? Errno.ESRCH : Errno.EPERM, errno));
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<KernelException>(async () => await client.SendCredentialsAsync(Bytes("x"), self with { UserId = uint.MaxValue }))).Errno);

        // Another message that fails is not blamed on them.
        said.Clear();
        Door.FailNext(nameof(Kernel.SendMessage), Errno.EPERM);
        Assert.Equal("sendmsg", (await Assert.ThrowsAsync<KernelException>(async () => await sender.SendMessageAsync(Bytes("x"), null, said))).Call);

        await client.WriteAsync(Bytes("well"));
        Assert.Equal("well", await ReadText(server, 4));
        Assert.False(receiver.TryReceive(new byte[1], out _));

        static void AssertForbidden(KernelException failure, int fd)
        {
            Assert.Equal((Errno.EPERM, fd), (failure.Errno, failure.FileDescriptor));
            Assert.StartsWith($"sendmsg(SCM_CREDENTIALS), fd {fd}: EPERM: a process may name itself", failure.Message);
            Assert.Contains("CAP_SETUID", failure.Message);
        }
    });

    [Fact]
    public void Only_unix_sockets_know() => Run(async () =>
    {
        using DatagramSocket udp = DatagramSocket.Bind(AnyPort);
        Assert.Throws<InvalidOperationException>(() => udp.PassCredentials = true);
        Assert.False(udp.PassCredentials);
        await Task.CompletedTask;
    });
}
