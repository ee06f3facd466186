using System.CommandLine;
using System.Security.Cryptography;
using Weir.Bench.Parts;

namespace Weir.Bench.Benchmarks;

/// <summary>
/// Random reads of a file at a depth, out of the page cache and past it: AsyncFile beside RandomAccess.ReadAsync, and beside a thread that does
/// nothing but pread. And a large copy, compared.
/// </summary>
internal sealed class FilesBenchmark : IBenchmark
{
    private readonly Option<string> _folder = new("--folder")
    {
        Description = "Where the files are made; removed afterwards. Must be on a disk for direct I/O to mean something.",
        DefaultValueFactory = _ => Path.GetTempPath(),
    };

    private readonly Option<int> _depth = new("--depth") { Description = "Reads in flight.", DefaultValueFactory = _ => 32 };

    private readonly Option<int> _readMiB = new("--read-mib") { Description = "Size of the file that is read, in MiB.", DefaultValueFactory = _ => 256 };

    private readonly Option<int> _copyMiB = new("--copy-mib") { Description = "Size of the file that is copied, in MiB; 0: none. Defaults to 2048, with --quick to 64.", DefaultValueFactory = _ => -1 };

    public string Name => "files";

    public string Description => "Random 4 KiB reads of a file at a depth, and a large copy.";

    public IReadOnlyList<Option> Options => [_folder, _depth, _readMiB, _copyMiB];

    public int DefaultRounds => 6;

    public void Run(Settings settings, ParseResult arguments, Report report)
    {
        string folder = arguments.GetValue(_folder)!;
        int depth = arguments.GetValue(_depth);
        string path = Path.Combine(folder, $"weir-bench-{Environment.ProcessId}");
        try
        {
            Fill(path, arguments.GetValue(_readMiB));
            foreach (bool direct in new[] { false, true })
                Reads(path, direct, depth, settings, report);
            int copyMiB = arguments.GetValue(_copyMiB);
            if (copyMiB < 0)
                copyMiB = settings.Quick ? 64 : 2048;
            if (copyMiB > 0)
                Copy(path, copyMiB, depth, report);
        }
        finally
        {
            File.Delete(path);
            File.Delete(path + ".copy");
        }
    }

    private static void Reads(string path, bool direct, int depth, Settings settings, Report report)
    {
        var bare = new PReadReader(path, direct);
        var framework = new FrameworkReader(path, direct, depth);
        var epoll = new WeirReader(path, direct, depth, DriverKind.Epoll);
        var uring = new WeirReader(path, direct, depth, DriverKind.Auto);
        Reader[] readers = [framework, epoll, uring, bare];
        foreach (Reader reader in readers)
            reader.Measure(settings.WarmUpSeconds * 3);
        Dictionary<Reader, List<(double Rate, double Cpu)>> results = Rounds.Measure(settings.Rounds, readers, reader => reader.Measure(settings.Seconds));
        Report.Say();
        Report.Say($"Random 4 KiB reads, depth {depth}, {(direct ? "O_DIRECT" : "page cache")}");
        var table = new Table("contestant", "k reads/s", "/ framework", "us of CPU/read", "/ framework", "/ bare pread");
        foreach (Reader reader in readers)
        {
            table.Add(
                reader.Name,
                (Summary.Of(results[reader].Select(r => r.Rate)).Median / 1000).ToString("0.0"),
                Text.Ratio(Ratio(reader, framework, r => r.Rate)),
                Summary.Of(results[reader].Select(r => r.Cpu)).Median.ToString("0.00"),
                Text.Ratio(Ratio(reader, framework, r => r.Cpu)),
                Text.Ratio(Ratio(reader, bare, r => r.Cpu)));
            report.Keep(new { direct, reader.Name, Rates = results[reader].Select(r => r.Rate), CpuPerRead = results[reader].Select(r => r.Cpu) });
        }

        table.Print(Console.Out);
        string what = direct ? "direct" : "cached";
        double gain = Math.Max(Ratio(epoll, framework, r => r.Rate).Median / 2, 0.5 / Ratio(epoll, framework, r => r.Cpu).Median);
        report.Add(new Target($"{what}: reads/s over 2x, or CPU under half, of the framework (1 = there)", gain, 1, AtLeast: true));
        if (!direct)
            Report.Say($"  the bare system calls take {Ratio(bare, framework, r => r.Cpu).Median * 2:0.00} times half the framework's CPU; above 1, half cannot be reached by any way of reading that copies");

        Summary Ratio(Reader one, Reader other, Func<(double Rate, double Cpu), double> of)
            => Summary.OfRatios([.. results[one].Select(of)], [.. results[other].Select(of)]);
    }

    private static byte[] Fill(string path, int mebibytes)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = new byte[1 << 20];
        var random = new Random(1);
        for (int i = 0; i < mebibytes; i++)
        {
            random.NextBytes(block);
            file.Write(block);
            hash.AppendData(block);
        }

        file.Flush(flushToDisk: true);
        return hash.GetHashAndReset();
    }

    private static void Copy(string path, int mebibytes, int depth, Report report)
    {
        byte[] expected = Fill(path, mebibytes);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        EventLoop.Run(() => CopyAsync(path, path + ".copy", depth));
        double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        using FileStream copy = File.OpenRead(path + ".copy");
        bool same = SHA256.HashData(copy).AsSpan().SequenceEqual(expected);
        Report.Say();
        Report.Say($"  copy of {mebibytes} MiB with AsyncFile at depth {depth}: {mebibytes / seconds:0} MiB/s, SHA-256 {(same ? "equal" : "DIFFERS")}");
        report.Add(new Target("copies that differ", same ? 0 : 1, 0));
    }

    private static async Task CopyAsync(string from, string to, int depth)
    {
        const int Block = 128 * 1024;
        await using AsyncFile source = await AsyncFile.OpenAsync(from);
        await using AsyncFile target = await AsyncFile.OpenAsync(to, FileMode.Create, FileAccess.Write);
        long size = (await source.GetStatusAsync()).Size, next = 0;
        await Task.WhenAll(Enumerable.Range(0, depth).Select(_ => Worker()));
        await target.FlushAsync();

        async Task Worker()
        {
            Memory<byte> buffer = AsyncFile.AllocateAligned(Block);
            while (next < size)
            {
                long offset = next;
                next += Block;
                for (int done = 0, length = (int)Math.Min(Block, size - offset); done < length;)
                {
                    int count = await source.ReadAsync(buffer[..(length - done)], offset + done);
                    if (count == 0)
                        throw new BenchException("the file became shorter while it was copied");
                    await target.WriteAsync(buffer[..count], offset + done);
                    done += count;
                }
            }
        }
    }

    private abstract class Reader(string path, bool direct)
    {
        protected const int Size = 4096;

        private readonly long _blocks = new FileInfo(path).Length / Size;

        public abstract string Name { get; }

        protected string Path { get; } = path;

        protected bool Direct { get; } = direct;

        /// <summary>Reads per second, and microseconds of CPU for each.</summary>
        public (double Rate, double Cpu) Measure(double seconds)
        {
            double cpu = CpuClock.OfProcess(Environment.ProcessId);
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            long reads = Read(start + (long)(seconds * System.Diagnostics.Stopwatch.Frequency));
            double time = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
            return (reads / time, (CpuClock.OfProcess(Environment.ProcessId) - cpu) * 1e6 / reads);
        }

        protected abstract long Read(long end);

        protected long Offset(Random random) => random.NextInt64(_blocks) * Size;

        protected static bool IsOver(long reads, long end) => (reads & 15) == 0 && System.Diagnostics.Stopwatch.GetTimestamp() >= end;

        protected static void Check(int count)
        {
            if (count != Size)
                throw new BenchException($"a read gave {count} bytes instead of {Size}");
        }
    }

    private sealed class WeirReader(string path, bool direct, int depth, DriverKind driver) : Reader(path, direct)
    {
        public override string Name => driver == DriverKind.Epoll ? "AsyncFile, ring in the epoll loop" : "AsyncFile, io_uring driver";

        protected override long Read(long end) => EventLoop.Run(async () =>
        {
            await using AsyncFile file = await AsyncFile.OpenAsync(Path, options: new AsyncFileOptions { Direct = Direct });
            long total = 0;
            await Task.WhenAll(Enumerable.Range(0, depth).Select(Worker));
            if (EventLoop.Current!.Statistics.FileBackend != "io_uring")
                Report.Remark($"not io_uring: {EventLoop.Current.Statistics.FileBackendReason}");
            return total;

            async Task Worker(int seed)
            {
                var random = new Random(seed);
                Memory<byte> buffer = AsyncFile.AllocateAligned(Size);
                long reads = 0;
                for (; !IsOver(reads, end); reads++)
                    Check(await file.ReadAsync(buffer, Offset(random)));
                total += reads;
            }
        }, new LoopOptions { Driver = driver });
    }

    private sealed class FrameworkReader(string path, bool direct, int depth) : Reader(path, direct)
    {
        public override string Name => "RandomAccess.ReadAsync";

        protected override long Read(long end)
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle handle = OpenHandle(Path, Direct);
            long total = 0;
            Task.WhenAll(Enumerable.Range(0, depth).Select(Worker)).GetAwaiter().GetResult();
            return total;

            async Task Worker(int seed)
            {
                await Task.Yield();
                var random = new Random(seed);
                Memory<byte> buffer = AsyncFile.AllocateAligned(Size);
                long reads = 0;
                for (; !IsOver(reads, end); reads++)
                    Check(await RandomAccess.ReadAsync(handle, buffer, Offset(random)).ConfigureAwait(false));
                Interlocked.Add(ref total, reads);
            }
        }
    }

    /// <summary>One thread and one system call after the other: what the kernel's part alone costs.</summary>
    private sealed class PReadReader(string path, bool direct) : Reader(path, direct)
    {
        public override string Name => "bare pread, one thread";

        protected override unsafe long Read(long end)
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle handle = OpenHandle(Path, Direct);
            int fd = (int)handle.DangerousGetHandle();
            var random = new Random(1);
            Memory<byte> memory = AsyncFile.AllocateAligned(32 * Size); // as many buffers as the others go round in
            using System.Buffers.MemoryHandle pin = memory.Pin();
            long reads = 0;
            for (; !IsOver(reads, end); reads++)
                Check((int)Kernel.Linux.PRead(fd, (byte*)pin.Pointer + (reads & 31) * Size, Size, Offset(random)));
            return reads;
        }
    }

    // The framework has no word for O_DIRECT; the flag can be set afterwards.
    private static Microsoft.Win32.SafeHandles.SafeFileHandle OpenHandle(string path, bool direct)
    {
        Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, FileOptions.Asynchronous);
        int result = direct ? Kernel.Linux.Fcntl((int)handle.DangerousGetHandle(), FcntlCommand.SetStatusFlags, (nint)ArchitectureFlags.Direct) : 0;
        return result >= 0 ? handle : throw new BenchException($"the file system of {path} has no direct I/O");
    }
}
