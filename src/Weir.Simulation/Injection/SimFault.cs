namespace Weir.Simulation;

/// <summary>
/// What a simulated kernel does to a program at random: only what a real one may do, too. Each is rolled for by
/// <see cref="FaultRule.Probability"/> wherever it may strike; a failing run is shrunk to one where none strikes that need not.
/// </summary>
public enum SimFault
{
    /// <summary>
    /// A read of a pipe or stream socket brings less than there is, at least 1 byte. The rest arrives later, with an edge of its own: a short read does
    /// mean that nothing more was there (epoll(7), question 9). recvmmsg brings fewer messages than there are, at least 1. Non-blocking files only; not once the end, an error or urgent data has been announced,
    /// and not under MSG_PEEK or MSG_WAITALL.
    /// </summary>
    ShortRead,

    /// <summary>
    /// A non-blocking write takes less than it was given: any part on TCP, whole pages (4096 bytes) on pipes, whole buffers (36,544 bytes) on unix
    /// sockets, so that what fits into one of those stays whole. sendmmsg takes fewer messages than it was given, at least 1. Then there is no room for a while, and an edge when there is.
    /// </summary>
    ShortWrite,

    /// <summary>
    /// EINTR from a call that is about to block: epoll_wait, io_uring_enter and poll with a timeout that is not 0, and calls on blocking files. As a signal does whose
    /// handler was installed without SA_RESTART, or a stop and continuation of the process.
    /// </summary>
    Interrupted,

    /// <summary>
    /// EAGAIN from a read or accept on a non-blocking socket that was ready: somebody else was faster, the client gave up, a checksum was wrong. What is
    /// there shows up after <see cref="FaultRule.Delay"/>, with an edge.
    /// </summary>
    FalseReadiness,

    /// <summary>
    /// The connection of a TCP or unix stream socket is reset for good as the program reads or writes: as by a peer that died. Both ends learn of it.
    /// </summary>
    ConnectionReset,

    /// <summary>
    /// EMFILE or ENFILE from a call that would make a descriptor: open, socket, socketpair, accept4, pipe2, epoll_create1, eventfd, timerfd_create,
    /// signalfd, pidfd_open, inotify_init1, io_uring_setup, and accept as a ring's request. A connection that could not be accepted stays in the backlog.
    /// </summary>
    NoDescriptors,

    /// <summary>
    /// ENOBUFS from socket, and from send, sendmsg or write on a unix or datagram socket; ENOMEM from epoll_create1, eventfd, timerfd_create, signalfd,
    /// pipe2, io_uring_setup, files registered with a ring and EPOLL_CTL_ADD. (TCP waits for memory instead.)
    /// </summary>
    NoMemory,

    /// <summary>
    /// A multishot request of a ring ends: its completion has no MORE though nothing is wrong, as the kernel may end one at any time (when completions
    /// overflow, for instance). What it waits for has to be asked for again.
    /// </summary>
    EndedMultishot,

    /// <summary>What a ring leaves to a worker (operations on regular files, above all) takes up to <see cref="FaultRule.Delay"/> longer.</summary>
    LateCompletion,

    /// <summary>What arrives at a socket is seen up to <see cref="FaultRule.Delay"/> later, by readers and watchers alike.</summary>
    LateArrival,

    /// <summary>After a successful read of a stream socket its peer stalls: nothing more arrives for up to <see cref="FaultRule.Delay"/>.</summary>
    StalledPeer,
}
