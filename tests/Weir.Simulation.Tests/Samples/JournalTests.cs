using System.Text;
using ReplicatedStore;

namespace Weir.Simulation.Tests;

public class JournalTests
{
    [Fact]
    public void What_was_written_is_recalled_in_order_at_each_later_start_on_Linux() => StartThreeTimes(Kernel.Linux, Path.Combine(Directory.CreateTempSubdirectory().FullName, "journal"));

    [Fact]
    public void What_was_written_is_recalled_in_order_at_each_later_start_on_the_emulated_kernel()
        => Sim.Run(1, sim =>
        {
            StartThreeTimes(sim.Kernel, "/tmp/journal");
            return Task.CompletedTask;
        });

    [Fact]
    public void A_journal_that_could_not_write_a_record_takes_no_more()
        => Sim.Run(1, sim =>
        {
            using Journal journal = Journal.Open(sim.Kernel, "/tmp/journal", _ => { });
            sim.Faults.FailNext(SystemCall.Write, Errno.ENOSPC);
            Assert.Equal(Errno.ENOSPC, Assert.Throws<KernelException>(() => journal.Append(Record(1))).Errno);
            Assert.Throws<ObjectDisposedException>(() => journal.Append(Record(2)));
            return Task.CompletedTask;
        });

    private static void StartThreeTimes(Kernel kernel, string path)
    {
        using (Journal first = Journal.Open(kernel, path, _ => Assert.Fail("There is nothing to recall yet.")))
        {
            first.Append(Record(1));
            first.Append(Record(2));
        }

        Tear(kernel, path + ".0", Wire.Encode(Record(3))[..^1]);
        List<Message> recalled = [];
        using (Journal second = Journal.Open(kernel, path, recalled.Add))
            second.Append(Record(4));
        Assert.Equal([Record(1), Record(2)], recalled);

        recalled.Clear();
        Journal.Open(kernel, path, recalled.Add).Dispose();
        Assert.Equal([Record(1), Record(2), Record(4)], recalled);
    }

    private static Message Record(int number) => new(MessageKind.Store, number, "key", new Versioned(new Timestamp(number, 7), number == 2 ? null : $"value {number}"));

    // What a crash in the middle of a write leaves behind.
    private static unsafe void Tear(Kernel kernel, string path, byte[] bytes)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"), start = bytes)
        {
            int fd = KernelException.Check(kernel.Open(name, FileFlags.WriteOnly | FileFlags.Append | FileFlags.CloseOnExec, 0), "open");
            Assert.Equal(bytes.Length, kernel.Write(fd, start, (nuint)bytes.Length));
            kernel.Close(fd);
        }
    }
}
