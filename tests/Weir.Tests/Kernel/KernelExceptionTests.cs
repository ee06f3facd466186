namespace Weir.Tests;

public class KernelExceptionTests
{
    [Fact]
    public void The_message_names_the_call_the_descriptor_the_error_and_what_to_do()
    {
        KernelException failure = new("epoll_ctl(ADD)", 7, Errno.EPERM);
        Assert.StartsWith("epoll_ctl(ADD), fd 7: EPERM: ", failure.Message);
        Assert.Contains("regular files", failure.Message);
        Assert.Equal(("epoll_ctl(ADD)", 7, Errno.EPERM), (failure.Call, failure.FileDescriptor, failure.Errno));
    }

    [Fact]
    public void Without_a_descriptor_none_is_named()
        => Assert.StartsWith("epoll_create1: EMFILE: ", new KernelException("epoll_create1", -1, Errno.EMFILE).Message);

    [Fact]
    public void Without_anything_to_advise_the_message_ends_with_the_error()
        => Assert.Equal("read, fd 3: EIO", new KernelException("read", 3, Errno.EIO).Message);

    [Fact]
    public void An_error_without_a_name_is_given_by_number()
        => Assert.Equal("read, fd 3: 9999", new KernelException("read", 3, (Errno)9999).Message);

    [Theory]
    [InlineData("connect", Errno.ENOENT, "no such socket")]
    [InlineData("epoll_ctl(MOD)", Errno.ENOENT, "not registered")]
    [InlineData("epoll_ctl(ADD)", Errno.ENOSPC, "max_user_watches")]
    [InlineData("write", Errno.ENOSPC, "no space left")]
    [InlineData("epoll_ctl(ADD)", Errno.ELOOP, "nested")]
    [InlineData("bind", Errno.EADDRINUSE, "in use")]
    [InlineData("epoll_ctl(ADD)", Errno.EEXIST, "modify it")]
    [InlineData("mkdir", Errno.EEXIST, "exists already")]
    [InlineData("pidfd_open(7)", Errno.ESRCH, "no such process")]
    [InlineData("pidfd_open(7)", Errno.EPERM, "seccomp")]
    [InlineData("posix_spawn(cat)", Errno.EPERM, "seccomp")]
    [InlineData("setsockopt(IpAddMembership)", Errno.EADDRINUSE, "a member of that group already")]
    [InlineData("setsockopt(Ipv6DropMembership)", Errno.EADDRNOTAVAIL, "no member of that group")]
    public void The_advice_fits_the_call(string call, Errno errno, string advice)
        => Assert.Contains(advice, new KernelException(call, 3, errno).Message);

    [Fact]
    public void It_is_handled_as_any_failed_input_or_output()
        => Assert.IsAssignableFrom<IOException>(new KernelException("read", 3, Errno.EIO));

    [Fact]
    public void Results_that_are_no_failure_are_returned()
    {
        Assert.Equal(0, KernelException.Check(0, "close", 3));
        Assert.Equal(12, KernelException.Check(12, "eventfd"));
        Assert.Equal(Errno.EBADF, Assert.Throws<KernelException>(() => KernelException.Check(-(int)Errno.EBADF, "close", 3)).Errno);
    }
}
