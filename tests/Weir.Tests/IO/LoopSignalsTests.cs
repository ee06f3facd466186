using System.Runtime.InteropServices;

#pragma warning disable CA1416 // Signals that Windows does not have; Weir is for Linux.

namespace Weir.Tests;

/// <summary>Signals to this very process, so nothing runs beside them. Those used here do nothing by default, but for SIGTERM.</summary>
[Collection(Alone.Name)]
public class LoopSignalsTests : LoopTests
{
    private const PosixSignal Urgent = (PosixSignal)23;

    private void Raise(int number)
    {
        int self = Kernel.PidFdOpen(Environment.ProcessId);
        Assert.Equal(0, Kernel.PidFdSendSignal(self, number));
        Kernel.Close(self);
    }

    [Fact]
    public void A_signal_ends_the_wait_on_the_loop()
        => Run(async loop =>
        {
            using var signals = new LoopSignals(PosixSignal.SIGWINCH, Urgent);
            ValueTask<PosixSignal> wait = signals.WaitAsync();
            await Settle();
            Assert.False(wait.IsCompleted);
            Raise(28);
            Assert.Equal(PosixSignal.SIGWINCH, await wait);
            Assert.True(loop.IsCurrent);
            Raise(23);
            await foreach (PosixSignal next in signals.ReadAllAsync())
            {
                Assert.Equal(Urgent, next);
                break;
            }
        });

    [Fact]
    public void Signals_that_nobody_waited_for_are_kept_each_once()
        => Run(async loop =>
        {
            // Registrations are told one after the other: once those before and after have been, so have these.
            using var before = new LoopSignals(PosixSignal.SIGWINCH, Urgent);
            using var signals = new LoopSignals(PosixSignal.SIGWINCH, Urgent);
            using var after = new LoopSignals(PosixSignal.SIGWINCH, Urgent);
            foreach (int number in new[] { 28, 28, 23, 28 })
            {
                Raise(number);
                await before.WaitAsync();
                await after.WaitAsync();
            }

            Assert.Equal(PosixSignal.SIGWINCH, await signals.WaitAsync());
            Assert.Equal(Urgent, await signals.WaitAsync());
            ValueTask<PosixSignal> third = signals.WaitAsync();
            await Settle();
            Assert.False(third.IsCompleted);
            Raise(28);
            Assert.Equal(PosixSignal.SIGWINCH, await third);
        });

    [Fact]
    public void A_wait_is_cancelled_from_any_thread_and_the_next_one_is_well()
        => Run(async loop =>
        {
            using var signals = new LoopSignals(PosixSignal.SIGWINCH);
            using var cancellation = new CancellationTokenSource();
            Task<PosixSignal> wait = signals.WaitAsync(cancellation.Token).AsTask();
            Assert.Throws<BusyResourceException>(() => { _ = signals.WaitAsync(); });
            await OnThread(cancellation.Cancel);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
            Assert.True(loop.IsCurrent);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await signals.WaitAsync(cancellation.Token));
            ValueTask<PosixSignal> next = signals.WaitAsync();
            Raise(28);
            Assert.Equal(PosixSignal.SIGWINCH, await next);
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Disposing_ends_the_wait(bool fromElsewhere)
        => Run(async loop =>
        {
            var signals = new LoopSignals(PosixSignal.SIGWINCH);
            Task<PosixSignal> wait = signals.WaitAsync().AsTask();
            if (fromElsewhere)
                await OnThread(signals.Dispose);
            else
                signals.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => wait);
            Assert.Throws<ObjectDisposedException>(() => { _ = signals.WaitAsync(); });
        });

    [Fact]
    public void The_end_of_the_loop_ends_the_wait()
    {
        Task<PosixSignal>? wait = null;
        Run(loop =>
        {
            wait = new LoopSignals(PosixSignal.SIGWINCH).WaitAsync().AsTask();
            return Task.CompletedTask;
        });
        Assert.Throws<ObjectDisposedException>(() => { TestLoop.Within(wait!); });
    }

    [Fact]
    public void A_signal_stops_the_loop_in_an_orderly_way()
        => Run(async loop =>
        {
            // Keeps the process alive should the signal find nobody else.
            using var guard = PosixSignalRegistration.Create(PosixSignal.SIGTERM, static context => context.Cancel = true);
            using LoopSignals signals = LoopSignals.StopOn(loop);
            Assert.Throws<InvalidOperationException>(() => { _ = signals.WaitAsync(); });
            Raise(15);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(TestLoop.Limit, loop.Stopping));
        });

    [Fact]
    public void Signals_are_counted_for_who_ends_in_steps()
        => Run(async loop =>
        {
            var counts = new List<int>();
            var told = new TaskCompletionSource();
            using LoopSignals signals = LoopSignals.StopOn(loop, count =>
            {
                Assert.True(loop.IsCurrent);
                counts.Add(count);
                told.SetResult();
            });
            for (int i = 1; i <= 3; i++)
            {
                Raise(15);
                await told.Task;
                told = new TaskCompletionSource();
            }

            Assert.Equal([1, 2, 3], counts);
            Assert.False(loop.Stopping.IsCancellationRequested);
        });

    [Fact]
    public void What_cannot_be_waited_for_is_refused()
        => Run(loop =>
        {
            Assert.Throws<ArgumentException>(() => new LoopSignals());
            Assert.ThrowsAny<Exception>(() => new LoopSignals(PosixSignal.SIGWINCH, (PosixSignal)9));
            return Task.CompletedTask;
        });
}
