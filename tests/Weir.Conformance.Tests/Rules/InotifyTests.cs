namespace Weir.Conformance.Rules;

/// <summary>inotify(7): which events come, in which order, with which names, and how the queue behaves.</summary>
public sealed class InotifyTests : ConformanceTests
{
    [Fact]
    public void A_files_life_in_a_watched_directory() => Run(m =>
    {
        m.MakeFolder();
        Fd all = m.Inotify();
        m.Watch(all, "").Is(1);
        Fd file = m.OpenFile("f", FileFlags.ReadWrite | FileFlags.Create);
        m.Write(file, 3);
        m.Write(file, 3);
        m.Read(file, 3);
        m.ReadEvents(all).Are("1 CREATE f", "1 OPEN f", "1 MODIFY f");
        m.ReadVector(file, 4).Is(0);
        m.Write(file, 0);
        m.Close(file);
        Fd again = m.OpenFile("f", FileFlags.ReadOnly);
        m.Read(again, 3).Is(3);
        m.Close(again);
        m.ReadEvents(all).Are("1 ACCESS f", "1 CLOSE_WRITE f", "1 OPEN f", "1 ACCESS f", "1 CLOSE_NOWRITE f");
        m.Close(m.OpenFile("f", FileFlags.WriteOnly | FileFlags.Truncate));
        m.Unlink("f");
        m.MakeFifo("p");
        m.MakeDirectory("d");
        m.RemoveDirectory("d");
        m.ReadEvents(all).Are(
            "1 OPEN f", "1 MODIFY f", "1 CLOSE_WRITE f", "1 DELETE f", "1 CREATE p", "1 CREATE|ISDIR d", "1 DELETE|ISDIR d");
        m.ReadEvents(all).Is(EAGAIN);
    });

    [Fact]
    public void A_file_that_is_watched_itself() => Run(m =>
    {
        m.MakeFolder();
        m.Touch("f");
        Fd all = m.Inotify();
        m.Watch(all, "f").Is(1);
        Fd file = m.OpenFile("f", FileFlags.ReadWrite);
        m.Write(file, 3);
        m.Rename("f", "g");
        m.Unlink("g");
        m.Write(file, 3);
        m.ReadEvents(all).Are("1 OPEN", "1 MODIFY", "1 MOVE_SELF", "1 ATTRIB", "1 MODIFY");
        m.Close(file);
        m.ReadEvents(all).Are("1 CLOSE_WRITE", "1 DELETE_SELF", "1 IGNORED");
        m.Unwatch(all, 1).Is(EINVAL);
        m.Touch("h");
        m.Watch(all, "h").Is(2);
        m.Unlink("h");
        m.ReadEvents(all).Are("2 ATTRIB", "2 DELETE_SELF", "2 IGNORED");
    });

    [Fact]
    public void A_directory_and_what_is_in_it_watched_by_one_and_by_two() => Run(m =>
    {
        m.MakeFolder();
        m.MakeDirectory("d");
        m.Touch("f");
        Fd one = m.Inotify(), two = m.Inotify();
        m.Watch(one, "").Is(1);
        m.Watch(one, "f").Is(2);
        m.Watch(one, "d").Is(3);
        m.Watch(two, "d").Is(1);
        Fd file = m.OpenFile("f", FileFlags.ReadWrite);
        m.Write(file, 3);
        m.Close(file);
        Fd directory = m.OpenFile("d", FileFlags.ReadOnly);
        m.ReadDirectory(directory);
        m.Close(directory);
        m.Unlink("f");
        m.RemoveDirectory("d");
        m.ReadEvents(one);
        m.ReadEvents(two);
        m.ReadEvents(one).Is(EAGAIN);
    });

    [Fact]
    public void Moves_are_two_events_with_one_cookie() => Run(m =>
    {
        m.MakeFolder();
        m.MakeDirectory("a");
        m.MakeDirectory("b");
        m.Touch("a/f");
        m.Touch("a/g");
        m.Touch("b/g");
        m.MakeDirectory("a/d");
        Fd all = m.Inotify();
        m.Watch(all, "a").Is(1);
        m.Watch(all, "b").Is(2);
        m.Watch(all, "a/d").Is(3);
        m.Watch(all, "b/g").Is(4);
        m.Rename("a/f", "a/h");
        m.Rename("a/h", "b/f");
        m.Rename("a/g", "b/g");
        m.Rename("a/d", "b/d");
        m.Rename("b/d", "d");
        m.Rename("d", "b/e");
        m.ReadEvents(all).Are(
            "1 MOVED_FROM f #1", "1 MOVED_TO h #1",
            "1 MOVED_FROM h #2", "2 MOVED_TO f #2",
            "1 MOVED_FROM g #3", "2 MOVED_TO g #3", "4 ATTRIB", "4 DELETE_SELF", "4 IGNORED",
            "1 MOVED_FROM|ISDIR d #4", "2 MOVED_TO|ISDIR d #4", "3 MOVE_SELF",
            "2 MOVED_FROM|ISDIR d #5", "3 MOVE_SELF",
            "2 MOVED_TO|ISDIR e #6", "3 MOVE_SELF");
        m.Touch("b/e/x");
        m.ReadEvents(all).Are("3 CREATE x", "3 OPEN x", "3 CLOSE_WRITE x");
        m.MakeDirectory("z");
        m.MakeDirectory("y");
        m.Watch(all, "y").Is(5);
        m.Rename("z", "y");
        m.ReadEvents(all).Are("5 ATTRIB|ISDIR", "5 DELETE_SELF", "5 IGNORED");
    });

    [Fact]
    public void An_open_file_goes_by_its_name_after_that_is_gone() => Run(m =>
    {
        m.MakeFolder();
        m.MakeDirectory("d");
        Fd file = m.OpenFile("d/f", FileFlags.WriteOnly | FileFlags.Create), directory = m.OpenFile("d", FileFlags.ReadOnly);
        Fd all = m.Inotify(), living = m.Inotify();
        m.Watch(all, "").Is(1);
        m.Watch(all, "d").Is(2);
        m.Watch(living, "d", InotifyEvents.All | InotifyEvents.ExcludeUnlinked).Is(1);
        m.Unlink("d/f");
        m.Write(file, 1);
        m.RemoveDirectory("d");
        m.ReadEvents(all).Are("2 DELETE f", "2 MODIFY f", "1 DELETE|ISDIR d");
        m.ReadEvents(living).Are("1 DELETE f");
        m.Close(directory);
        m.ReadEvents(all);
        m.Close(file);
        m.ReadEvents(all);
        m.ReadEvents(living);
    });

    [Fact]
    public void What_an_open_file_is_renamed_to_is_its_name() => Run(m =>
    {
        m.MakeFolder();
        m.MakeDirectory("a");
        m.MakeDirectory("b");
        Fd file = m.OpenFile("a/f", FileFlags.WriteOnly | FileFlags.Create), target = m.OpenFile("b/g", FileFlags.WriteOnly | FileFlags.Create);
        Fd all = m.Inotify();
        m.Watch(all, "a");
        m.Watch(all, "b");
        m.Watch(all, "b/g");
        m.Rename("a/f", "b/g");
        m.Write(file, 1);
        m.Write(target, 1);
        m.ReadEvents(all);
        m.Rename("b", "c");
        m.Write(file, 1);
        m.Close(target);
        m.Close(file);
        m.ReadEvents(all);
    });

    [Fact]
    public void Masks_are_replaced_or_added_to() => Run(m =>
    {
        m.MakeFolder();
        Fd all = m.Inotify();
        m.Watch(all, "", InotifyEvents.Create).Is(1);
        m.Watch(all, "", InotifyEvents.Delete | InotifyEvents.MaskAdd).Is(1);
        m.Touch("f");
        m.Unlink("f");
        m.ReadEvents(all).Are("1 CREATE f", "1 DELETE f");
        m.Watch(all, "", InotifyEvents.CloseWrite).Is(1);
        m.Touch("f");
        m.Unlink("f");
        m.ReadEvents(all).Are("1 CLOSE_WRITE f");
        m.Watch(all, "", InotifyEvents.Create | InotifyEvents.MaskCreate).Is(EEXIST);
        m.Watch(all, "", InotifyEvents.Create | InotifyEvents.OneShot | InotifyEvents.MaskAdd).Is(1);
        m.Touch("f");
        m.Touch("f");
        m.ReadEvents(all).Are("1 CREATE f", "1 IGNORED");
        m.Watch(all, "", InotifyEvents.Create | InotifyEvents.MaskCreate).Is(2);
        m.Unwatch(all, 2).Is(0);
        m.Unwatch(all, 2).Is(EINVAL);
        m.ReadEvents(all).Are("2 IGNORED");
        m.Watch(all, "", InotifyEvents.OnlyDirectory).Is(3);
        m.Touch("f");
        m.ReadEvents(all).Is(EAGAIN);
        m.Watch(all, "f", InotifyEvents.All | InotifyEvents.OneShot).Is(4);
        m.Close(m.OpenFile("f", FileFlags.ReadOnly));
        m.ReadEvents(all).Are("4 OPEN", "4 IGNORED");
    });

    [Fact]
    public void Bad_arguments_are_refused() => Run(m =>
    {
        m.MakeFolder();
        m.Touch("f");
        Fd all = m.Inotify(), other = m.EventFd(), closed = m.EventFd();
        m.Close(closed);
        m.Watch(all, "", 0).Is(EINVAL);
        m.Watch(all, "", (InotifyEvents)0x0008_0000).Is(EINVAL);
        m.Watch(all, "", InotifyEvents.Create | InotifyEvents.MaskAdd | InotifyEvents.MaskCreate).Is(EINVAL);
        m.Watch(closed, "", InotifyEvents.Create | InotifyEvents.MaskAdd | InotifyEvents.MaskCreate);
        m.Watch(closed, "", 0);
        m.Watch(closed, "").Is(EBADF);
        m.Watch(other, "").Is(EINVAL);
        m.Watch(other, "no").Is(EINVAL);
        m.Watch(all, "no").Is(ENOENT);
        m.Watch(all, "f/x").Is(ENOTDIR);
        m.Watch(all, "f/").Is(ENOTDIR);
        m.Watch(all, "f", InotifyEvents.Modify | InotifyEvents.OnlyDirectory).Is(ENOTDIR);
        m.Unwatch(closed, 1).Is(EBADF);
        m.Unwatch(other, 1).Is(EINVAL);
        m.Unwatch(all, 1).Is(EINVAL);
        m.Unwatch(all, -1).Is(EINVAL);
        m.Watch(all, "", InotifyEvents.IsDirectory | InotifyEvents.Unmount).Is(1);
        m.Write(all, 1).Is(EBADF);
        m.Readable(all).Is(0);
        m.ReadEvents(all, 0).Is(EAGAIN);
        m.Touch("g");
        m.ReadEvents(all).Is(EAGAIN);
    });

    [Fact]
    public void Events_are_read_whole_or_not_at_all() => Run(m =>
    {
        m.MakeFolder();
        Fd all = m.Inotify();
        m.Watch(all, "", InotifyEvents.Create);
        m.Touch("f");
        m.Touch("a name of 15 b.");
        m.Touch("a name of 16 by.");
        m.Readable(all).Is(32 + 32 + 48);
        m.ReadEvents(all, 0).Is(EINVAL);
        m.ReadEvents(all, 31).Is(EINVAL);
        m.ReadEvents(all, 40).Are("1 CREATE f");
        m.ReadVector(all, 32, 40).Is(32);
        m.Touch("\udcff\udcfe");
        m.ReadVector(all, 48, 32).Is(80);
        m.ReadVector(all, 48, 32).Is(EAGAIN);
        m.Touch("g");
        m.Touch("h");
        m.ReadVector(all, 40, 32).Is(32);
        m.ReadVector(all, 8, 32).Is(EINVAL);
        m.Readable(all).Is(32);
    });

    [Fact]
    public void The_same_event_again_is_merged_with_the_last_in_the_queue() => Run(m =>
    {
        m.MakeFolder();
        m.MakeDirectory("out");
        Fd all = m.Inotify();
        m.Watch(all, "", InotifyEvents.Modify | InotifyEvents.MovedFrom | InotifyEvents.Open);
        Fd f = m.OpenFile("f", FileFlags.WriteOnly | FileFlags.Create), g = m.OpenFile("g", FileFlags.WriteOnly | FileFlags.Create);
        m.Write(f);
        m.Write(f);
        m.Write(g);
        m.Write(f);
        m.Write(f);
        m.ReadEvents(all).Are("1 OPEN f", "1 OPEN g", "1 MODIFY f", "1 MODIFY g", "1 MODIFY f");
        m.Write(f);
        m.Rename("f", "out/f");
        m.Rename("out/f", "f");
        m.Rename("f", "out/f");
        m.ReadEvents(all).Are("1 MODIFY f", "1 MOVED_FROM f #1"); // whatever the cookie
    });

    [Fact]
    public void Each_event_is_an_edge_and_a_merged_one_is_none() => Run(m =>
    {
        m.MakeFolder();
        Fd file = m.OpenFile("f", FileFlags.WriteOnly | FileFlags.Create);
        Fd all = m.Inotify(), level = m.Epoll(), edge = m.Epoll();
        m.Watch(all, "");
        m.Add(level, all, In);
        m.Add(edge, all, In | EdgeTriggered);
        m.Wait(level).IsEmpty();
        m.Wait(edge).IsEmpty();
        m.Poll(all).Is(0);
        m.Write(file);
        m.Wait(edge).Is((all, In));
        m.Wait(edge).IsEmpty();
        m.Write(file);
        m.Wait(edge).IsEmpty();
        m.Touch("g");
        m.Wait(edge).Is((all, In));
        m.Wait(level).Is((all, In));
        m.Poll(all).Is(In);
        m.ReadEvents(all, 32).Are("1 MODIFY f");
        m.Wait(edge).IsEmpty();
        m.Wait(level).Is((all, In));
        m.ReadEvents(all);
        m.Wait(level).IsEmpty();
        m.Unwatch(all, 1);
        m.Wait(edge).Is((all, In));
    });

    [Fact]
    public void A_waiter_is_woken_by_an_event() => Run(m =>
    {
        m.MakeFolder();
        Fd all = m.Inotify(), set = m.Epoll();
        m.Watch(all, "", InotifyEvents.Create);
        m.Add(set, all, In);
        MachineThread waiter = m.StartBlocked("waiter", () => m.Wait(set, Machine.Forever).Is((all, In)));
        m.Touch("f");
        m.Join(waiter);
        m.ReadEvents(all).Are("1 CREATE f");
    });

    [Fact]
    public void A_full_queue_says_once_that_something_was_lost() => Run(m =>
    {
        m.MakeFolder();
        Fd all = m.Inotify();
        m.Watch(all, "", InotifyEvents.Modify);
        Fd one = m.OpenFile("1", FileFlags.WriteOnly | FileFlags.Create), two = m.OpenFile("2", FileFlags.WriteOnly | FileFlags.Create);
        for (int i = 0; i < 8200; i++)
        {
            m.Write(one);
            m.Write(two);
        }

        m.Readable(all).Is(16384 * 32 + 16);
        m.ReadEvents(all, 64).Are("1 MODIFY 1", "1 MODIFY 2");
        m.Write(one);
        m.Write(two); // there is no room again: the overflow counts
        m.Readable(all).Is((16384 - 1) * 32 + 16);
        m.ReadEvents(all, 16382 * 32 + 16).Events.Count.ToString();
        m.ReadEvents(all).Are("1 MODIFY 1");
        m.ReadEvents(all).Is(EAGAIN);
    });

    [Fact]
    public void Moving_bytes_by_splice_is_news_of_both() => Run(m =>
    {
        m.MakeFolder();
        Fd file = m.OpenFile("f", FileFlags.ReadWrite | FileFlags.Create);
        Fd all = m.Inotify();
        m.Watch(all, "");
        m.MakeFifo("p");
        Fd reader = m.OpenFile("p", FileFlags.ReadOnly | FileFlags.NonBlock), writer = m.OpenFile("p", FileFlags.WriteOnly | FileFlags.NonBlock);
        m.Watch(all, "p");
        m.Write(writer, 10).Is(10);
        m.Read(reader, 5).Is(5);
        m.ReadEvents(all);
        m.Close(reader);
        m.Close(writer);
        m.ReadEvents(all);
        m.Close(file);
        m.ReadEvents(all);
    });
}
