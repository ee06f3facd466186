namespace Weir.Tests;

/// <summary>Marks are off in this process: the tests of the simulator have them on.</summary>
[Collection(Alone.Name)]
public class MarksTests : LoopTests
{
    [Fact]
    public void Where_marks_are_off_nobody_is_told()
    {
        Assert.False(Marks.On);
        MarkObserver before = Marks.Observer;
        try
        {
            Marks.Observer = new Refusing();
            EventLoop? ended = null;
            Run(async loop =>
            {
                ended = loop;
                using var signal = new EventSignal();
                Task posts = OnThread(() =>
                {
                    UntilAsleep(loop);
                    Assert.True(loop.Post(() => { }));
                    UntilAsleep(loop);
                    loop.SynchronizationContext.Send(_ => { }, null);
                    signal.Signal();
                });
                await signal.WaitAsync();
                await posts;
            });
            Assert.True(ended!.Statistics.WakeUpsSent > 0);
            Assert.False(ended.Post(() => { }));
        }
        finally
        {
            Marks.Observer = before;
        }
    }

    [Fact]
    public void An_observer_that_changes_nothing_does_what_the_machine_does()
    {
        var observer = new MarkObserver();
        var cell = new MarkedCell(this, 5);
        Assert.Same(this, cell.Owner);
        Assert.Equal(5, observer.Read(Mark.WakeLook, cell));
        Assert.Equal(5, observer.CompareExchange(Mark.Leave, cell, 7, 6));
        Assert.Equal(5, observer.CompareExchange(Mark.Leave, cell, 7, 5));
        Assert.Equal(7, observer.Exchange(Mark.Stop, cell, 1));
        Assert.Equal(3, observer.Add(Mark.WakerIn, cell, 2));
        MarkedStore store = cell.StoreOf(9);
        Assert.Equal((3, 9), (cell.Load(), store.Value));
        observer.Store(Mark.Seal, store);
        Assert.Equal(9, cell.Load());

        var inbox = new MarkedInbox(this, new());
        Assert.Equal(0, observer.Read(Mark.LastLook, inbox));
        Assert.False(observer.TryDequeue(Mark.InboxTake, inbox, out _));
        RunEntry entry = new(() => { });
        MarkedStore put = inbox.StoreOf(entry);
        Assert.Equal(0, inbox.Load());
        Assert.Same(inbox, put.Place);
        observer.Store(Mark.InboxPut, put);
        Assert.Equal(put.Value, observer.Read(Mark.LastLook, inbox));
        Assert.True(observer.TryDequeue(Mark.InboxTake, inbox, out RunEntry taken));
        Assert.True(taken.IsSameAs(entry));
    }

    private sealed class Refusing : MarkObserver
    {
        internal override long Read(Mark site, MarkedPlace place) => throw new InvalidOperationException();

        internal override void Store(Mark site, MarkedStore store) => throw new InvalidOperationException();

        internal override long CompareExchange(Mark site, MarkedCell cell, long value, long comparand) => throw new InvalidOperationException();

        internal override long Exchange(Mark site, MarkedCell cell, long value) => throw new InvalidOperationException();

        internal override long Add(Mark site, MarkedCell cell, long change) => throw new InvalidOperationException();

        internal override bool TryDequeue(Mark site, MarkedInbox inbox, out RunEntry entry) => throw new InvalidOperationException();

        internal override void Fence(Mark site) => throw new InvalidOperationException();

        internal override void Spin(Mark site) => throw new InvalidOperationException();

        internal override void Enter(Mark site, Lock gate) => throw new InvalidOperationException();
    }
}
