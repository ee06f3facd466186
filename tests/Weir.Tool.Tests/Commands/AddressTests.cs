using System.Net;
using Weir.Tool.Commands;

namespace Weir.Tool.Tests.Commands;

public class AddressTests
{
    [Theory]
    [InlineData("127.0.0.1:7000", "127.0.0.1:7000")]
    [InlineData("[::1]:7000", "[::1]:7000")]
    [InlineData("0.0.0.0:0", "0.0.0.0:0")]
    [InlineData("localhost:7000", "localhost:7000")]
    [InlineData("*:7000", "*:7000")]
    [InlineData(":7000", "*:7000")]
    [InlineData("unix:/run/x.sock", "unix:/run/x.sock")]
    [InlineData("unix:relative", "unix:relative")]
    [InlineData("unix:@name", "unix:@name")]
    [InlineData("127.0.0.1:65535", "127.0.0.1:65535")]
    [InlineData("[fe80::1%1]:7000", "[fe80::1%1]:7000")]
    [InlineData("1host:7000", "1host:7000")]
    public void Addresses_are_read_and_shown_alike(string text, string shown)
    {
        Assert.True(Address.TryParse(text, out EndPoint endPoint, out string error), error);
        Assert.Equal(shown, Address.Format(endPoint));
    }

    [Theory]
    [InlineData("7000")]
    [InlineData("")]
    [InlineData("localhost:")]
    [InlineData("localhost:70000")]
    [InlineData("localhost:-1")]
    [InlineData("localhost:http")]
    [InlineData("::1:7000")]
    [InlineData("[::1:7000")]
    [InlineData("[127.0.0.1]:7000")]
    [InlineData("300.1.1.1:80")]
    [InlineData("1.2.3.4.5:80")]
    [InlineData("1:80")]
    [InlineData("10.0.1:80")]
    [InlineData("010.0.0.1:80")]
    [InlineData("0x7f.0.0.1:80")]
    [InlineData("10.0.0.:80")]
    [InlineData("127.0.0.1:65536")]
    [InlineData("127.0.0.1:+80")]
    [InlineData("[[::1]]:80")]
    [InlineData("[[::1]:99]:80")]
    [InlineData("[]:80")]
    [InlineData("[:80")]
    [InlineData("bad host:80")]
    [InlineData("unix:")]
    [InlineData("unix:@")]
    public void What_is_no_address_is_refused_in_one_line(string text)
    {
        Assert.False(Address.TryParse(text, out _, out string error));
        Assert.Contains("is no address", error, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error);
    }

    [Fact]
    public void A_unix_path_that_is_too_long_is_refused()
    {
        Assert.False(Address.TryParse("unix:/" + new string('x', 107), out _, out string error));
        Assert.Contains("at most 107 bytes", error, StringComparison.Ordinal);
        Assert.True(Address.TryParse("unix:/" + new string('x', 106), out _, out _));
        Assert.False(Address.TryParse("unix:@" + new string('x', 107), out _, out _));
        Assert.True(Address.TryParse("unix:@" + new string('x', 106), out _, out _));
    }

    [Fact]
    public void Without_a_host_one_listens_everywhere_and_connects_to_this_machine()
    {
        Assert.Contains(((IPEndPoint)Assert.Single(Address.ForListening(":7000"))).Address, new[] { IPAddress.IPv6Any, IPAddress.Any });
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 7000), Assert.Single(Address.ForConnecting(":7000")));
    }

    [Fact]
    public void A_host_name_becomes_its_addresses_those_of_IPv4_first()
        => Assert.Equal(new IPEndPoint(IPAddress.Loopback, 7000), Address.ForConnecting("localhost:7000")[0]);

    [Theory]
    [InlineData("5", 5000)]
    [InlineData("0.5", 500)]
    [InlineData("250ms", 250)]
    [InlineData("5s", 5000)]
    [InlineData("2m", 120_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("0", 0)]
    public void Times_have_units(string text, int milliseconds)
    {
        Assert.True(Duration.TryParse(text, out TimeSpan duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("-1")]
    [InlineData("5 s")]
    [InlineData("5d")]
    [InlineData("1e3")]
    [InlineData("99999999999h")]
    [InlineData("nan")]
    [InlineData("NaNs")]
    [InlineData("Infinity")]
    [InlineData("-Infinity")]
    [InlineData("-∞")]
    [InlineData("1e400")]
    public void What_is_no_time_is_refused(string text) => Assert.False(Duration.TryParse(text, out _));
}
