using System.Net;

namespace Weir.Net;

/// <summary>What <see cref="DatagramSocket.ReceiveFromAsync(Memory{byte}, CancellationToken)"/> has received.</summary>
/// <param name="Length">Bytes in the buffer; 0 is an empty datagram, which is one like any other.</param>
/// <param name="From">Who sent it; null: an unnamed unix socket.</param>
/// <param name="IsTruncated">The datagram was longer than the buffer, and its end is lost.</param>
public readonly record struct ReceivedDatagram(int Length, EndPoint? From, bool IsTruncated);
