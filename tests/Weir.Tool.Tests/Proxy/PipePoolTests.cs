using Weir.Net;
using Weir.Tool.Proxy;

namespace Weir.Tool.Tests.Proxy;

public class PipePoolTests
{
    [Fact]
    public void An_empty_pipe_is_used_again() => EventLoop.Run(() =>
    {
        using var pool = new PipePool(1);
        SplicePipe pipe = pool.Rent()!;
        Assert.Null(pool.Rent());
        pool.Return(pipe);
        Assert.Same(pipe, pool.Rent());
        pool.Return(pipe);
        return Task.CompletedTask;
    });

    [Fact]
    public void Switched_off_it_keeps_no_pipe_and_lends_none() => EventLoop.Run(() =>
    {
        using var pool = new PipePool(2);
        SplicePipe first = pool.Rent()!, second = pool.Rent()!;
        pool.Return(first);
        pool.SwitchOff();
        Assert.Null(pool.Rent());
        pool.Return(second);
        Assert.Null(pool.Rent());
        return Task.CompletedTask;
    });
}
