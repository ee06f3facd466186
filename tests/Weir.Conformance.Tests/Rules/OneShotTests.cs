namespace Weir.Conformance.Rules;

/// <summary>One-shot registrations.</summary>
public sealed class OneShotTests : ConformanceTests
{
    private const EpollEvents Level = 0;

    [Theory, Rule(35)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void After_its_event_everything_is_off(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll();
        (Fd read, Fd write) = m.Pipe();
        m.Add(set, read, In | OneShot | mode);
        m.Write(write);
        m.Wait(set).Is((read, In));
        m.Write(write);
        m.Wait(set).IsEmpty();
        m.Close(write);
        m.Wait(set).IsEmpty(); // not even that
        m.Mod(set, read, 0);
        m.Wait(set).Is((read, Hup));
        m.Mod(set, read, OneShot);
        m.Wait(set).Is((read, Hup));
        m.Wait(set).IsEmpty();
    });

    [Theory, Rule(36)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void It_stays_registered_and_comes_back_by_modifying(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd(1);
        m.Add(set, fd, In | OneShot | mode, 1);
        m.Wait(set).Is((1, In));
        m.Add(set, fd, In | OneShot | mode, 2).Is(EEXIST);
        m.Mod(set, fd, In | OneShot | mode, 3).Is(0);
        m.Wait(set).Is((3, In));
        m.Wait(set).IsEmpty();
        m.ReadCount(fd).Is(1);
        m.Mod(set, fd, In | OneShot | mode, 4).Is(0);
        m.Wait(set).IsEmpty();
        m.WriteCount(fd);
        m.Wait(set).Is((4, In));
        m.Del(set, fd).Is(0);
    });

    [Theory, Rule(36)]
    [InlineData(EdgeTriggered)]
    [InlineData(Level)]
    public void Being_left_out_for_want_of_room_does_not_count(EpollEvents mode) => Run(m =>
    {
        Fd set = m.Epoll(), a = m.EventFd(1), b = m.EventFd(1);
        m.Add(set, a, In | OneShot | mode);
        m.Add(set, b, In | OneShot | mode);
        m.Wait(set, max: 1).Is((a, In));
        m.Wait(set, max: 1).Is((b, In));
        m.Wait(set, max: 1).IsEmpty();
    });

    [Fact, Rule(36)]
    public void Finding_nothing_does_not_count() => Run(m =>
    {
        Fd set = m.Epoll(), fd = m.EventFd();
        m.Add(set, fd, In | OneShot);
        m.WriteCount(fd);
        m.ReadCount(fd).Is(1);
        m.Wait(set).IsEmpty();
        m.WriteCount(fd);
        m.Wait(set).Is((fd, In));
    });
}
