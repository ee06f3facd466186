namespace Weir.Tests;

/// <summary>What tests of files on a loop share: files of their own, deleted after the test, and which driver the loop has.</summary>
public abstract class FileTests : LoopTests
{
    private readonly List<string> _paths = [];

    protected virtual DriverKind Driver => DriverKind.Epoll;

    private protected bool OnLinux => ReferenceEquals(InnerKernel, Weir.Kernel.Linux);

    protected override LoopOptions Options(Action<LoopOptions>? configure = null) => base.Options(options =>
    {
        options.Driver = Driver;
        configure?.Invoke(options);
    });

    /// <summary>A path that no other test has; what is there is deleted after the test.</summary>
    protected string NewPath()
    {
        string path = $"/tmp/weir-file-{Guid.NewGuid():N}";
        _paths.Add(path);
        return path;
    }

    protected string NewFile(ReadOnlySpan<byte> content)
    {
        string path = NewPath();
        int fd = OpenNow(path, FileFlags.WriteOnly | FileFlags.Create);
        Assert.Equal(content.Length, Write(fd, content));
        Assert.Equal(0, InnerKernel.Close(fd));
        return path;
    }

    /// <summary>open(2), past all that is tested.</summary>
    private protected int OpenNow(string path, FileFlags flags)
    {
        int fd = new FileCalls(InnerKernel).Open(path, flags);
        Assert.True(fd >= 0, $"{path}: {(Errno)(-fd)}");
        return fd;
    }

    public override void Dispose()
    {
        var files = new FileCalls(InnerKernel);
        foreach (string path in _paths)
            files.Unlink(path);
        base.Dispose();
        GC.SuppressFinalize(this);
    }
}
