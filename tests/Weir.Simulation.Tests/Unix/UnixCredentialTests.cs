using Weir.Net;

namespace Weir.Simulation.Tests.Unix;

/// <summary>Processes of other users than root.</summary>
public class UnixCredentialTests
{
    private static void RunOn(SimKernel process, Func<Task> main) => EventLoop.Run(main, new LoopOptions { Kernel = process });

    [Fact]
    public void Who_is_not_root_names_itself_alone()
    {
        SimKernel process = SimKernel.Live();
        Assert.Equal((0u, 0u), (process.UserId, process.GroupId));
        process.SetUser(1000, 100);
        RunOn(process, async () =>
        {
            (Connection one, Connection other) = Connection.CreatePair();
            using Connection first = one, second = other;
            other.PassCredentials = true;
            var self = new ProcessCredentials(process.ProcessId, 1000, 100);
            Assert.Equal(self, one.PeerCredentials);
            await one.SendCredentialsAsync(new byte[1], self);
            Assert.Equal(self, (await other.ReceiveDescriptorsAsync(new byte[10], default)).Credentials);
            foreach (ProcessCredentials wrong in new[] { self with { UserId = 0 }, self with { GroupId = 0 }, self with { ProcessId = 1 } })
            {
                KernelException failure = await Assert.ThrowsAsync<KernelException>(async () => await one.SendCredentialsAsync(new byte[1], wrong));
                Assert.Equal(Errno.EPERM, failure.Errno);
                Assert.Contains("CAP_SETGID", failure.Message);
            }
        });
    }

    [Fact]
    public void A_child_is_what_its_parent_is_and_there_is_no_way_back()
    {
        SimKernel parent = SimKernel.Live();
        parent.SetUser(0, 5);
        SimKernel child = parent.Fork("child");
        Assert.Equal((0u, 5u), (child.UserId, child.GroupId));
        child.SetUser(1000, 100);
        Assert.Equal(0u, parent.UserId);
        SimKernel grandchild = child.Fork("grandchild");
        Assert.Equal((1000u, 100u), (grandchild.UserId, grandchild.GroupId));
        grandchild.SetUser(1000, 100); // what it is already
        Assert.Equal(Errno.EPERM, Assert.Throws<KernelException>(() => grandchild.SetUser(0, 0)).Errno);
        Assert.Equal(Errno.EPERM, Assert.Throws<KernelException>(() => grandchild.SetUser(1000, 0)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => parent.SetUser(uint.MaxValue, 0)).Errno);
        Assert.Equal((1000u, 100u), (grandchild.UserId, grandchild.GroupId));
    }
}
