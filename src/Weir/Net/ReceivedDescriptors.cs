namespace Weir.Net;

/// <summary>What <see cref="Connection.ReceiveDescriptorsAsync"/> has received.</summary>
/// <param name="Bytes">Bytes in the buffer; 0 is the end.</param>
/// <param name="Descriptors">
/// Descriptors in the other buffer, from its start: close-on-exec, and the receiver's own, to be closed by it.
/// </param>
/// <param name="AreMissing">
/// Whether descriptors were sent along that are not there: the buffer was too small, or this process had no descriptors left. Their duplicates were
/// closed; the others are there.
/// </param>
/// <param name="Credentials">Who sent the bytes, if <see cref="Connection.PassCredentials"/> was on before they were sent.</param>
public readonly record struct ReceivedDescriptors(int Bytes, int Descriptors, bool AreMissing, ProcessCredentials? Credentials);
