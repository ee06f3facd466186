using System.Net;
using Weir.Tool.Commands;
using Weir.Tool.Proxy;

namespace Weir.Tool.Tests.Commands;

public class ComplaintsTests
{
    private static readonly EndPoint First = new IPEndPoint(IPAddress.Loopback, 1);
    private static readonly EndPoint Second = new IPEndPoint(IPAddress.IPv6Loopback, 1);

    private readonly Complaints _complaints = new();
    private readonly Upstream _upstream = new("a", [First, Second]);

    private bool IsNew(EndPoint address, Errno errno, int fd = 7) => _complaints.IsNew(_upstream, address, new KernelException("connect", fd, errno));

    [Fact]
    public void A_reason_is_news_once_whatever_the_descriptor()
    {
        Assert.True(IsNew(First, Errno.ECONNREFUSED));
        Assert.False(IsNew(First, Errno.ECONNREFUSED, fd: 8));
        Assert.True(_complaints.IsNew(_upstream, First, new TimeoutException("one")));
        Assert.False(_complaints.IsNew(_upstream, First, new TimeoutException("two")));
        Assert.False(IsNew(First, Errno.ECONNREFUSED));
    }

    [Fact]
    public void Each_address_and_each_upstream_has_its_own()
    {
        Assert.True(IsNew(First, Errno.ECONNREFUSED));
        Assert.True(IsNew(Second, Errno.ECONNREFUSED));
        Assert.True(_complaints.IsNew(new Upstream("b", [First]), First, new KernelException("connect", 7, Errno.ECONNREFUSED)));
    }

    [Fact]
    public void After_an_address_has_answered_the_same_reason_is_news_again_there_alone()
    {
        IsNew(First, Errno.ECONNREFUSED);
        IsNew(Second, Errno.ECONNREFUSED);
        _complaints.Forget(_upstream, Second);
        Assert.False(IsNew(First, Errno.ECONNREFUSED));
        Assert.True(IsNew(Second, Errno.ECONNREFUSED));
    }
}
