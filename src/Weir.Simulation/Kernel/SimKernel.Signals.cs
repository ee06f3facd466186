namespace Weir.Simulation;

// Signals as kernel/signal.c has them: sent to a process or a thread, held there while blocked, taken by a handler on the way out of a
// call or by whoever reads a signalfd.
public sealed unsafe partial class SimKernel
{
    private readonly SignalAction[] _actions = new SignalAction[SignalNumbers.Most + 1];
    private readonly WaitQueue _stopQueue = new();
    private SimThread? _signalTarget; // signal->curr_target: signals to the process go round

    /// <summary>Signals sent to the process as a whole and not yet taken: signal->shared_pending.</summary>
    internal PendingSignals Pending { get; } = new();

    /// <summary>sighand->signalfd_wqh: those who watch signals of this process.</summary>
    internal WaitQueue SignalQueue { get; } = new();

    /// <summary>Stopped by SIGSTOP and the like until SIGCONT.</summary>
    internal bool IsStopped { get; private set; }

    /// <summary>
    /// Sends a signal to this process, as kill(2) does. What then happens is what was asked for by <see cref="HandleSignal"/> and
    /// <see cref="IgnoreSignal"/>, else the default: most end the process. SIGPIPE is ignored from the start, as in every .NET process.
    /// </summary>
    /// <param name="signal">1 to 64; 0 sends nothing and only asks whether the process is there.</param>
    /// <returns>0, or a negated errno: EINVAL for a number that is no signal, ESRCH for a process that is gone.</returns>
    public int Raise(int signal)
    {
        using Call call = BeginFromOutside(SystemCall.Kill);
        return call.Returns(call.Fault < 0 ? call.Fault : Send(signal, new SignalInfo(signal, SignalInfo.FromUser, call.Thread.Process.ProcessId)));
    }

    /// <summary>
    /// Has a handler run for a signal, as sigaction(2) does. It runs on a thread of the process on its way out of a call, and must not block.
    /// </summary>
    /// <param name="signal">1 to 64, but for SIGKILL (9) and SIGSTOP (19).</param>
    /// <param name="handler">The handler. Null: one that does nothing, which interrupts all the same.</param>
    /// <param name="restart">SA_RESTART: calls go on that can; waits for events never do, and return EINTR. Defaults to false.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such signal, or it cannot be handled.</exception>
    public void HandleSignal(int signal, Action? handler = null, bool restart = false)
        => SetAction(signal, new SignalAction(SignalDisposition.Handled, handler, restart));

    /// <summary>Has a signal do nothing (SIG_IGN); one that is pending is forgotten.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such signal, or it cannot be ignored.</exception>
    public void IgnoreSignal(int signal) => SetAction(signal, new SignalAction(SignalDisposition.Ignored));

    /// <summary>Has a signal do what it does by default (SIG_DFL).</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such signal.</exception>
    public void ResetSignal(int signal) => SetAction(signal, default);

    /// <summary>
    /// Says which signals the calling thread does not want now, as pthread_sigmask(3) does; they wait until it does, or come through a
    /// <see cref="SignalFd"/>.
    /// </summary>
    /// <param name="signals">Bit n-1 is signal n.</param>
    /// <returns>What was blocked before.</returns>
    public ulong BlockSignals(ulong signals)
    {
        using Call call = Begin(SystemCall.SignalMask);
        if (call.IsRefused)
            return 0;
        ulong before = call.Thread.BlockedSignals;
        call.Thread.Process.SetBlocked(call.Thread, signals);
        call.Returns(0);
        return before;
    }

    /// <inheritdoc/>
    public override int SignalFd(int fd, ulong signals)
    {
        using Call call = Begin(SystemCall.SignalFd, fd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        if (fd == -1)
            return call.Returns(Install(new SignalFdFile(World, signals), closeOnExec: true));
        SimFile? file = Descriptors.Find(fd);
        if (file is not SignalFdFile queue)
            return call.Returns(file == null ? -(int)Errno.EBADF : -(int)Errno.EINVAL);
        queue.Signals = signals & SignalNumbers.Blockable;
        call.Thread.Process.SignalQueue.Wake(EpollEvents.None);
        return call.Returns(fd);
    }

    /// <summary>tgkill(2): sends a signal to one thread of this process.</summary>
    internal int RaiseIn(SimThread thread, int signal)
    {
        using Call call = BeginFromOutside(SystemCall.Kill);
        return call.Returns(call.Fault < 0 ? call.Fault : SendTo(thread, signal, new SignalInfo(signal, SignalInfo.FromThread, call.Thread.Process.ProcessId)));
    }

    /// <summary>epoll_pwait(2): waits with other signals blocked than usual, and has a signal that ends the wait handled before that ends.</summary>
    internal int EpollPWait(int epfd, void* events, int maxEvents, int timeoutMilliseconds, ulong blocked)
    {
        using Call call = Begin(SystemCall.EpollPWait, epfd);
        if (call.Fault < 0)
            return call.Returns(call.Fault);
        long timeout = timeoutMilliseconds < 0 ? World.Never : timeoutMilliseconds * 1_000_000L;
        return call.Returns(WaitForEvents(call.Thread, epfd, events, maxEvents, timeout, blocked));
    }

    // sigprocmask around the wait, and what ended the wait is handled before the old set is back.
    private int WaitForEvents(SimThread thread, int epfd, void* events, int maxEvents, long timeout, ulong blocked)
    {
        ulong before = thread.BlockedSignals;
        SetBlocked(thread, blocked);
        int count = WaitForEvents(thread, epfd, events, maxEvents, timeout);
        if (count == -(int)Errno.EINTR)
            DeliverSignals(thread);
        SetBlocked(thread, before);
        return count;
    }

    /// <summary>SIGSTOP and SIGCONT by somebody outside, with nothing between them.</summary>
    internal void StopAndContinue()
    {
        using Call call = BeginFromOutside(SystemCall.Kill);
        if (call.IsRefused)
            return;
        Send(SignalNumbers.Stop, new SignalInfo(SignalNumbers.Stop, SignalInfo.FromUser, 0));
        Send(SignalNumbers.Continue, new SignalInfo(SignalNumbers.Continue, SignalInfo.FromUser, 0));
        call.Returns(0);
    }

    // Dispositions

    private void SetAction(int signal, SignalAction action)
    {
        if (!SignalNumbers.IsValid(signal) || (signal is SignalNumbers.Kill or SignalNumbers.Stop && action.Disposition != SignalDisposition.Default))
            throw new ArgumentOutOfRangeException(nameof(signal), signal, "No signal of this number can be handled or ignored.");
        using Call call = BeginFromOutside(SystemCall.SignalAction);
        if (call.IsRefused)
            return;
        _actions[signal] = action;
        if (IsIgnored(signal))
        {
            Pending.Remove(SignalNumbers.Bit(signal));
            foreach (SimThread thread in World.Threads)
            {
                if (thread.Process == this)
                    thread.Pending.Remove(SignalNumbers.Bit(signal));
            }
        }

        call.Returns(0);
    }

    // sig_handler_ignored
    private bool IsIgnored(int signal) => _actions[signal].Disposition switch
    {
        SignalDisposition.Ignored => true,
        SignalDisposition.Default => (SignalNumbers.IgnoredByDefault & SignalNumbers.Bit(signal)) != 0,
        _ => false,
    };

    // sig_fatal
    private bool IsFatal(int signal) => _actions[signal].Disposition == SignalDisposition.Default
        && ((SignalNumbers.IgnoredByDefault | SignalNumbers.StoppedByDefault) & SignalNumbers.Bit(signal)) == 0;

    // set_current_blocked. What the thread may have been chosen for and does not want any more, another one takes (retarget_shared_pending).
    private void SetBlocked(SimThread thread, ulong signals)
    {
        signals &= SignalNumbers.Blockable;
        ulong orphaned = thread.HasSignal ? Pending.Set & signals & ~thread.BlockedSignals : 0;
        thread.BlockedSignals = signals;
        for (int signal = 1; orphaned != 0; signal++, orphaned >>= 1)
        {
            if ((orphaned & 1) != 0)
                Choose(signal, null);
        }

        Recalculate(thread);
    }

    // recalc_sigpending
    private void Recalculate(SimThread thread) => thread.HasSignal = HasExited || ((thread.Pending.Set | Pending.Set) & ~thread.BlockedSignals) != 0;
}
