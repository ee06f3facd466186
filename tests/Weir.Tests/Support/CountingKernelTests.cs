using System.Reflection;

namespace Weir.Tests;

public unsafe class CountingKernelTests
{
    [Fact]
    public void Every_call_of_the_door_is_counted_and_can_be_refused()
    {
        CountingKernel kernel = new();
        foreach (string call in CountingKernel.CallNames.Where(name => name != nameof(Kernel.ClockGetTime)))
        {
            kernel.FailNext(call, Errno.EXDEV);
            MethodInfo method = typeof(Kernel).GetMethod(call)!;
            object?[] arguments = [.. method.GetParameters().Select(parameter => Zero(parameter.ParameterType))];
            object? result = method.Invoke(kernel, arguments);
            Assert.Equal(-(int)Errno.EXDEV, result is nint native ? native : Convert.ToInt64(result));
            Assert.Equal(1, kernel.Count(call));
        }

        Assert.Equal(CountingKernel.CallNames.Count - 1, kernel.Total);
    }

    [Fact]
    public void Calls_reach_the_kernel_behind_once_the_failures_are_used_up()
    {
        CountingKernel kernel = new();
        kernel.FailNext(nameof(Kernel.EventFd), Errno.EMFILE, times: 2);
        kernel.FailNext(nameof(Kernel.EventFd), Errno.ENFILE);
        Assert.Equal(-(int)Errno.EMFILE, kernel.EventFd(0, EventFdFlags.CloseOnExec));
        Assert.Equal(-(int)Errno.EMFILE, kernel.EventFd(0, EventFdFlags.CloseOnExec));
        Assert.Equal(-(int)Errno.ENFILE, kernel.EventFd(0, EventFdFlags.CloseOnExec));
        int fd = kernel.EventFd(0, EventFdFlags.CloseOnExec);
        Assert.True(fd >= 0);
        Assert.Equal(0, kernel.Close(fd));
        Assert.Equal(4, kernel.Count(nameof(Kernel.EventFd)));
        kernel.Reset();
        Assert.Equal(0, kernel.Total);
    }

    [Fact]
    public void A_name_that_is_no_call_is_refused()
    {
        CountingKernel kernel = new();
        Assert.Throws<ArgumentException>(() => kernel.Count("Accept5"));
        Assert.Throws<ArgumentException>(() => kernel.FailNext(nameof(Kernel.ClockGetTime), Errno.EINVAL));
    }

    private static object? Zero(Type type)
    {
        if (type.IsPointer)
            return Pointer.Box(null, type);
        Type plain = type.IsByRef ? type.GetElementType()! : type;
        return Activator.CreateInstance(plain);
    }
}
