using System.Net;
using Weir;
using Weir.Net;
EventLoop.Run(async () => {
  using var l = Listener.Bind(IPEndPoint.Parse(args[0]));
  int size = args.Length > 1 ? int.Parse(args[1]) : 16384;
  Console.WriteLine(l.LocalEndPoint);
  await l.AcceptAllAsync(async c => { var b = new byte[size]; int n; while ((n = await c.ReadAsync(b)) != 0) await c.WriteAsync(b.AsMemory(0, n)); });
});
