namespace Weir.Conformance.Rules;

/// <summary>Directories, renames and their errors.</summary>
public sealed class DirectoryTests : ConformanceTests
{
    [Fact]
    public void Directories_are_made_read_and_removed() => Run(m =>
    {
        m.MakeFolder();
        Fd all = m.OpenFile("", FileFlags.ReadOnly);
        m.ReadDirectory(all).Is(0);
        m.MakeDirectory("d").Is(0);
        m.Touch("f");
        m.MakeFifo("p").Is(0);
        m.MakeDirectory("d/e/").Is(0);
        m.Touch("d/a name that is so long that only a few of its kind have room in one buffer");
        m.ReadDirectory(m.OpenFile("", FileFlags.ReadOnly)).Is(0);
        m.ReadDirectory(m.OpenFile("d", FileFlags.ReadOnly), 120).Is(0);
        m.ReadDirectory(m.OpenFile("d", FileFlags.ReadOnly), 60).Is(EINVAL);
        m.ReadDirectory(m.OpenFile("d", FileFlags.ReadOnly), 8).Is(EINVAL);
        m.ReadDirectory(m.OpenFile("f", FileFlags.ReadOnly)).Is(ENOTDIR);
        m.RemoveDirectory("d").Is(ENOTEMPTY);
        m.Unlink("d").Is(EISDIR);
        m.RemoveDirectory("f").Is(ENOTDIR);
        Fd open = m.OpenFile("d/e", FileFlags.ReadOnly);
        m.RemoveDirectory("d/e").Is(0);
        m.ReadDirectory(open).Is(ENOENT);
        m.RemoveDirectory("d/e").Is(ENOENT);
        m.Close(all);
    });

    [Fact]
    public void Bad_names_are_refused() => Run(m =>
    {
        m.MakeFolder();
        m.Touch("f");
        m.MakeDirectory("d").Is(0);
        m.MakeDirectory("d").Is(EEXIST);
        m.MakeDirectory("f").Is(EEXIST);
        m.MakeDirectory("f/").Is(EEXIST);
        m.MakeDirectory("f/x").Is(ENOTDIR);
        m.MakeDirectory("no/x").Is(ENOENT);
        m.MakeDirectory("d/.").Is(EEXIST);
        m.MakeDirectory("d/..").Is(EEXIST);
        m.MakeDirectory("/").Is(EEXIST);
        m.RemoveDirectory("d/.").Is(EINVAL);
        m.RemoveDirectory("d/..").Is(ENOTEMPTY);
        m.RemoveDirectory("/").Is(EBUSY);
        m.RemoveDirectory("no/x").Is(ENOENT);
        m.RemoveDirectory("f/x").Is(ENOTDIR);
        m.Unlink("d/.").Is(EISDIR);
        m.Unlink("d/").Is(EISDIR);
        m.Unlink("f/").Is(ENOTDIR);
        m.Unlink("no/").Is(ENOENT);
        string most = new('n', 255), over = new('n', 256), wide = new('\u20ac', 85);
        m.MakeDirectory(most).Is(0);
        m.MakeDirectory(wide).Is(0);
        m.MakeDirectory(wide + "n").Is(ENAMETOOLONG);
        m.MakeDirectory(over).Is(ENAMETOOLONG);
        m.MakeDirectory(over + "/x").Is(ENAMETOOLONG);
        m.RemoveDirectory(over).Is(ENAMETOOLONG);
        m.Unlink(over).Is(ENAMETOOLONG);
        m.TryOpenFile(over, FileFlags.ReadOnly, out _);
        m.TryOpenFile(over, FileFlags.WriteOnly | FileFlags.Create, out _);
        m.Rename("f", over).Is(ENAMETOOLONG);
        m.Rename(over, "f").Is(ENAMETOOLONG);
        m.MakeFifo("new/").Is(ENOENT);
        m.TryOpenFile("f/", FileFlags.WriteOnly | FileFlags.Create | FileFlags.Exclusive, out _);
        m.TryOpenFile("d/", FileFlags.ReadOnly | FileFlags.Create, out _);
        m.TryOpenFile("d/.", FileFlags.ReadOnly | FileFlags.Create | FileFlags.Exclusive, out _);
        m.MakeDirectory("\udcff\udc80 not UTF-8").Is(0);
        m.ReadDirectory(m.OpenFile("", FileFlags.ReadOnly)).Is(0);
    });

    [Fact]
    public void A_rename_replaces_what_may_be_replaced() => Run(m =>
    {
        m.MakeFolder();
        m.Touch("f");
        m.Touch("g");
        m.MakeDirectory("d").Is(0);
        m.MakeDirectory("e").Is(0);
        m.MakeDirectory("full").Is(0);
        m.Touch("full/x");
        m.Rename("no", "f").Is(ENOENT);
        m.Rename("f", "no/x").Is(ENOENT);
        m.Rename("f", "g/x").Is(ENOTDIR);
        m.Rename("f/x", "g").Is(ENOTDIR);
        m.Rename("f", "d").Is(EISDIR);
        m.Rename("d", "f").Is(ENOTDIR);
        m.Rename("d", "full").Is(ENOTEMPTY);
        m.Rename("d", "d/x").Is(EINVAL);
        m.Rename("d", "d/x/y").Is(ENOENT);
        m.Rename("full/x", "full").Is(ENOTEMPTY);
        m.Rename("d", "full/x").Is(ENOTDIR);
        m.Rename("f", "new/").Is(ENOTDIR);
        m.Rename("f/", "new").Is(ENOTDIR);
        m.Rename("d/.", "new").Is(EBUSY);
        m.Rename("d", "new/..").Is(ENOENT);
        m.Rename("d", "e/..").Is(EBUSY);
        m.Rename("/", "new").Is(EBUSY);
        m.Rename("f", "f").Is(0);
        m.Rename("f", "g").Is(0);
        m.Rename("f", "g").Is(ENOENT);
        m.Rename("d", "e/").Is(0);
        m.Rename("e", "full/e").Is(0);
        m.Rename("full", "new/").Is(0);
        m.ReadDirectory(m.OpenFile("", FileFlags.ReadOnly)).Is(0);
        m.ReadDirectory(m.OpenFile("new", FileFlags.ReadOnly)).Is(0);
        Fd open = m.OpenFile("new/x", FileFlags.ReadWrite);
        m.Write(open, 5).Is(5);
        m.Rename("new/x", "x").Is(0);
        m.Write(open, 5).Is(5);
        Fd again = m.OpenFile("x", FileFlags.ReadOnly);
        m.Read(again, 20).Is(10);
    });
}
