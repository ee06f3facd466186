namespace Weir.Simulation;

// From the sender to the handler: whom a signal goes to, whom it wakes, and when it is taken.
public sealed unsafe partial class SimKernel
{
    // Sending

    /// <summary>Sends a signal to the process: __send_signal_locked.</summary>
    internal int Send(int signal, in SignalInfo info) => SendTo(null, signal, info);

    /// <summary>Sends it to one of its threads; null: to whichever wants it.</summary>
    internal int SendTo(SimThread? target, int signal, in SignalInfo info)
    {
        if (signal != 0 && !SignalNumbers.IsValid(signal))
            return -(int)Errno.EINVAL;
        if (IsReaped)
            return -(int)Errno.ESRCH;
        if (signal == 0 || HasExited || !Prepare(target, signal))
            return 0;
        if (!(target?.Pending ?? Pending).Add(info))
            return 0;
        SignalQueue.Wake(EpollEvents.None); // signalfd_notify
        Choose(signal, target);
        return 0;
    }

    // prepare_signal: stopping and continuing undo each other. False: the signal is ignored.
    private bool Prepare(SimThread? target, int signal)
    {
        ulong bit = SignalNumbers.Bit(signal);
        if ((SignalNumbers.StoppedByDefault & bit) != 0)
        {
            Forget(SignalNumbers.Bit(SignalNumbers.Continue));
        }
        else if (signal == SignalNumbers.Continue)
        {
            Forget(SignalNumbers.StoppedByDefault);
            if (IsStopped)
            {
                IsStopped = false;
                _stopQueue.Wake(EpollEvents.None, 0);
            }
        }

        // A blocked one may get a handler before it is taken. Of the threads, the first counts.
        SimThread? thread = target ?? FirstThread();
        return (thread != null && (thread.BlockedSignals & bit) != 0) || !IsIgnored(signal);
    }

    private void Forget(ulong signals)
    {
        Pending.Remove(signals);
        foreach (SimThread thread in World.Threads)
        {
            if (thread.Process == this)
                thread.Pending.Remove(signals);
        }
    }

    private SimThread? FirstThread()
    {
        foreach (SimThread thread in World.Threads)
        {
            if (thread.Process == this && thread.State != ThreadState.Ended)
                return thread;
        }

        return null;
    }

    // complete_signal: finds a thread that takes it now, and interrupts that one.
    private void Choose(int signal, SimThread? target)
    {
        SimThread? first = target ?? FirstThread();
        if (first == null)
        {
            // A process of which only descriptors are simulated: what would end it does.
            if (Pending.TryTake(SignalNumbers.Bit(signal), out _))
                TakeDefault(signal);
            return;
        }

        SimThread? chosen = World.IsLive && target == null ? LiveThatWants(signal)
            : Wants(first, signal) ? first
            : target == null ? NextThatWants(signal)
            : null;
        if (chosen == null)
            return;
        if (IsFatal(signal))
        {
            EndProcess(signal);
            return;
        }

        if ((SignalNumbers.StoppedByDefault & SignalNumbers.Bit(signal)) != 0 && _actions[signal].Disposition == SignalDisposition.Default)
        {
            (target?.Pending ?? Pending).Remove(SignalNumbers.Bit(signal));
            Stop();
            return;
        }

        chosen.HasSignal = true;
        chosen.Wake();
    }

    private SimThread? NextThatWants(int signal)
    {
        IReadOnlyList<SimThread> threads = World.Threads;
        int start = _signalTarget?.Id ?? 0;
        for (int i = 0; i < threads.Count; i++)
        {
            SimThread thread = threads[(start + i) % threads.Count];
            if (thread.Process == this && Wants(thread, signal))
                return _signalTarget = thread;
        }

        return null;
    }

    // Nobody says when an ordinary thread is gone, so one that sleeps here is the safest choice. Else whoever calls next takes it.
    private SimThread? LiveThatWants(int signal)
    {
        SimThread? any = null;
        foreach (SimThread thread in World.Threads)
        {
            if (thread.Process != this || !Wants(thread, signal))
                continue;
            if (thread.State == ThreadState.Blocked)
                return thread;
            any = thread;
            thread.HasSignal = true;
        }

        return any;
    }

    // wants_signal: one who sleeps with another signal on its way is left alone.
    private static bool Wants(SimThread thread, int signal)
        => (thread.BlockedSignals & SignalNumbers.Bit(signal)) == 0
            && thread.State != ThreadState.Ended
            && (thread.State == ThreadState.Runnable || !thread.HasSignal);

    // Stopping

    // do_signal_stop: every thread is interrupted, and stops on its way out of the kernel.
    private void Stop()
    {
        IsStopped = true;
        foreach (SimThread thread in World.Threads)
        {
            if (thread.Process != this || thread.State == ThreadState.Ended)
                continue;
            thread.HasSignal = true;
            thread.Wake();
        }
    }

    private void StayStopped(SimThread thread)
    {
        while (IsStopped && !thread.IsStepped)
        {
            var entry = new ThreadWait(thread);
            _stopQueue.AddLast(entry);
            try
            {
                World.Block(thread, World.Never);
            }
            finally
            {
                entry.Leave();
            }
        }
    }

    // Taking

    /// <summary>Takes a signal out of what is pending for a thread, its own first: dequeue_signal.</summary>
    internal bool TryDequeue(SimThread thread, ulong wanted, out SignalInfo info)
    {
        bool found = thread.Pending.TryTake(wanted, out info) || Pending.TryTake(wanted, out info);
        if (found)
            Recalculate(thread);
        return found;
    }

    /// <summary>On the way out of the kernel: takes what is pending and not blocked, and runs handlers (get_signal).</summary>
    internal SignalOutcome DeliverSignals(SimThread thread)
    {
        thread.RunTaskWork();
        SignalOutcome outcome = thread.IsInterrupted ? SignalOutcome.Interrupt : SignalOutcome.Nothing;
        thread.IsInterrupted = false;
        while (true)
        {
            if (HasExited)
            {
                Unwind(thread);
                return outcome;
            }

            if (IsStopped)
                StayStopped(thread);
            if (!TryDequeue(thread, ~thread.BlockedSignals, out SignalInfo info))
                break;
            SignalAction action = _actions[info.Signal];
            if (action.Disposition == SignalDisposition.Default)
                TakeDefault(info.Signal);
            if (action.Disposition != SignalDisposition.Handled)
                continue;
            RunHandler(thread, info.Signal, action);
            if (outcome != SignalOutcome.Interrupt)
                outcome = action.Restart ? SignalOutcome.Restart : SignalOutcome.Interrupt;
        }

        Recalculate(thread);
        return outcome;
    }

    /// <summary>
    /// A signal has found a thread in a call that can be started again. 0: it is, as nobody was told or the handlers want that; else -EINTR.
    /// </summary>
    internal int Interrupt(SimThread thread)
    {
        if (HasExited)
            throw Ended(thread); // it would wait for ever
        return DeliverSignals(thread) == SignalOutcome.Interrupt ? -(int)Errno.EINTR : 0;
    }

    private void TakeDefault(int signal)
    {
        if ((SignalNumbers.StoppedByDefault & SignalNumbers.Bit(signal)) != 0)
            Stop();
        else if (IsFatal(signal))
            EndProcess(signal);
    }

    private void RunHandler(SimThread thread, int signal, SignalAction action)
    {
        // The signal itself is blocked meanwhile. The handler may make calls of its own.
        (SystemCall inCall, int descriptor, ulong blocked) = (thread.Call, thread.CallDescriptor, thread.BlockedSignals);
        thread.BlockedSignals |= SignalNumbers.Bit(signal);
        action.Handler?.Invoke();
        thread.BlockedSignals = blocked;
        thread.Call = inCall;
        thread.CallDescriptor = descriptor;
    }
}
