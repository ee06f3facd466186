namespace Weir.Simulation;

/// <summary>What happens when no answer comes: net/ipv4/tcp_timer.c, on the simulation's clock.</summary>
internal sealed partial class TcpSocket
{
    private const long Second = 1_000_000_000;
    private const long FirstTimeout = Second; // TCP_TIMEOUT_INIT
    private const long LeastTimeout = Second / 5; // TCP_RTO_MIN
    private const long LongestTimeout = 120 * Second; // TCP_RTO_MAX
    private const long GiveUpAfter = 924_600_000_000; // net.ipv4.tcp_retries2 = 15
    private const long OrphanGivesUpAfter = 102_200_000_000; // tcp_orphan_retries = 8
    private const int LinearSynRetries = 4; // net.ipv4.tcp_syn_linear_timeouts
    private const int SynAckRetries = 5; // net.ipv4.tcp_synack_retries

    // Moments; World.Never: nothing to come. One event of the clock stands for the next of them. It is not taken back when that moves on,
    // for on a good network it does so with every segment: it fires and finds nothing to do.
    private long _retransmitAt = World.Never;
    private long _keepAliveAt = World.Never;
    private SimClock.TimedEvent? _timer;
    private Action? _onTimer;

    private long _retransmitTimeout = FirstTimeout; // icsk_rto, backed off
    private long _smoothedRoundTrip;
    private long _roundTripVariance;
    private int _retransmits;
    private long _retransmitsSince = World.Never;
    private long _synSentAt;
    private int _duplicates;
    private long _recoversUntil;
    private int _probesSent;
    private long _probingSince = World.Never;
    private int _keepAliveProbes;
    private bool _keepAliveAnswered;
    private long _lastReceived;

    private bool IsNetworkReliable => Network.IsReliable(Stack, RemoteEnd.Address);

    private void ResetTimers()
    {
        _retransmitTimeout = FirstTimeout;
        _smoothedRoundTrip = _roundTripVariance = 0;
        _retransmits = _duplicates = _probesSent = _keepAliveProbes = 0;
        _recoversUntil = 0;
        _retransmitsSince = _probingSince = World.Never;
        _synSentAt = World.Now;
        _retransmitAt = World.Now + FirstTimeout;
    }

    private void StopTimers()
    {
        _retransmitAt = _keepAliveAt = World.Never;
        _timer?.Cancel();
        _timer = null;
    }

    private void ArmTimer()
    {
        long at = Math.Min(_retransmitAt, _keepAliveAt);
        if (at == World.Never || Stack.IsDown || (_timer != null && _timer.Time <= at))
            return;
        _timer?.Cancel();
        _timer = World.Clock.At(at, _onTimer ??= OnTimer);
    }

    private void OnTimer()
    {
        _timer = null;
        if (_state == TcpState.Closed || Stack.IsDown)
            return;
        long now = World.Now;
        if (_retransmitAt <= now)
            OnRetransmitTimer();
        if (_keepAliveAt <= now)
            OnKeepAliveTimer();
        ArmTimer();
    }

    // Round trips: tcp_rtt_estimator

    private void Measure(long roundTrip)
    {
        if (_smoothedRoundTrip == 0)
        {
            _smoothedRoundTrip = Math.Max(1, roundTrip);
            _roundTripVariance = roundTrip / 2;
        }
        else
        {
            _roundTripVariance += (Math.Abs(roundTrip - _smoothedRoundTrip) - _roundTripVariance) / 4;
            _smoothedRoundTrip += (roundTrip - _smoothedRoundTrip) / 8;
        }
    }

    private void MeasureHandshake()
    {
        if (_retransmits == 0)
            Measure(World.Now - _synSentAt);
        _retransmits = 0;
        _retransmitTimeout = MeasuredTimeout();
    }

    private long MeasuredTimeout()
        => _smoothedRoundTrip == 0 ? FirstTimeout : Math.Min(LongestTimeout, _smoothedRoundTrip + Math.Max(LeastTimeout, 4 * _roundTripVariance));

    // Something new was acknowledged: tcp_rearm_rto.
    private void OnProgress()
    {
        _retransmits = 0;
        _retransmitsSince = World.Never;
        _retransmitTimeout = MeasuredTimeout();
        _retransmitAt = HasUnacknowledged ? World.Now + _retransmitTimeout : World.Never;
    }

    // tcp_retransmit_timer, tcp_probe_timer
    private void OnRetransmitTimer()
    {
        _retransmitAt = World.Never;
        switch (_state)
        {
            case TcpState.SynSent:
                RetransmitSyn(_synRetries + LinearSynRetries, LinearSynRetries);
                break;
            case TcpState.SynReceived:
                RetransmitSyn(SynAckRetries, 0);
                break;
            case TcpState.Listen:
                break;
            default:
                if (HasUnacknowledged)
                    RetransmitData();
                else if (_sendHead != null)
                    Probe();
                break;
        }
    }

    private void RetransmitSyn(int most, int linear)
    {
        if (_retransmits >= most || (_userTimeout > 0 && World.Now - _synSentAt >= _userTimeout))
        {
            if (_listener != null)
                DropRequest();
            else
                DoneWithError(Errno.ETIMEDOUT);
            return;
        }

        if (++_retransmits > linear)
            _retransmitTimeout = Math.Min(LongestTimeout, _retransmitTimeout * 2);
        _retransmitAt = World.Now + _retransmitTimeout;
        SendSyn();
    }

    private long Patience => _userTimeout > 0 ? _userTimeout : _isOrphan ? OrphanGivesUpAfter : GiveUpAfter;

    private void RetransmitData()
    {
        if (_retransmitsSince == World.Never)
            _retransmitsSince = _unacknowledged.First!.SentAt;
        long waited = World.Now - _retransmitsSince;
        if (waited >= Patience)
        {
            DoneWithError(Errno.ETIMEDOUT);
            return;
        }

        _retransmits++;
        _recoversUntil = _sendNext;
        _duplicates = 0;
        _retransmitTimeout = Math.Min(LongestTimeout, _retransmitTimeout * 2);
        BackOff(waited);
        Retransmit();
    }

    // tcp_clamp_rto_to_user_timeout
    private void BackOff(long waited)
    {
        long wait = _userTimeout > 0 ? Math.Min(_retransmitTimeout, Math.Max(1_000_000, _userTimeout - waited)) : _retransmitTimeout;
        _retransmitAt = World.Now + wait;
    }

    // Probes of a closed window

    /// <summary>
    /// The peer's window keeps everything back: the news of its opening may be lost, so it is asked for, where anything can get lost.
    /// </summary>
    private void ConsiderProbing()
    {
        if (_sendHead != null && !HasUnacknowledged && _retransmitAt == World.Never && !IsNetworkReliable)
            _retransmitAt = World.Now + _retransmitTimeout;
    }

    private void Probe()
    {
        if (_probingSince == World.Never)
            _probingSince = World.Now;
        long waited = World.Now - _probingSince;
        if (waited >= Patience)
        {
            DoneWithError(Errno.ETIMEDOUT);
            return;
        }

        _probesSent++;
        _retransmitTimeout = Math.Min(LongestTimeout, _retransmitTimeout * 2);
        BackOff(waited);
        TransmitControl(TcpFlags.Ack, _sendUnacknowledged - 1);
    }

    // Keep-alive: tcp_keepalive_timer

    protected override void OnKeepAliveChanged()
    {
        ArmKeepAlive();
        ArmTimer();
    }

    private void ArmKeepAlive()
    {
        if (!KeepsAlive || _state is TcpState.Closed or TcpState.Listen or TcpState.SynSent or TcpState.SynReceived || IsNetworkReliable)
            return;
        _keepAliveAt = Math.Max(World.Now, _lastReceived + _keepIdle);
    }

    private void OnKeepAliveTimer()
    {
        _keepAliveAt = World.Never;
        if (!KeepsAlive)
            return;
        long idle = World.Now - _lastReceived;
        if (_keepAliveAnswered && IsNetworkReliable)
        {
            // Once nothing can get lost one answer tells all.
            _keepAliveAnswered = false;
            return;
        }

        if (HasUnacknowledged || _sendHead != null || (idle < _keepIdle && _keepAliveProbes == 0))
        {
            _keepAliveAt = World.Now + Math.Max(1_000_000, HasUnacknowledged ? _keepIdle : _keepIdle - idle);
            return;
        }

        bool gone = _userTimeout > 0 ? idle >= _userTimeout && _keepAliveProbes > 0 : _keepAliveProbes >= _keepCount;
        if (gone)
        {
            SendActiveReset();
            DoneWithError(Errno.ETIMEDOUT);
            return;
        }

        // The answer sets the count back.
        _keepAliveProbes++;
        _keepAliveAt = World.Now + _keepInterval;
        TransmitControl(TcpFlags.Ack, _sendUnacknowledged - 1);
    }

    /// <summary>Packets may get lost from now on: what waits for the peer without asking begins to ask.</summary>
    internal void OnTrouble()
    {
        ConsiderProbing();
        if (KeepsAlive && _keepAliveAt == World.Never && _state is not (TcpState.Closed or TcpState.Listen or TcpState.SynSent or TcpState.SynReceived))
            _keepAliveAt = Math.Max(World.Now, _lastReceived + _keepIdle);
        ArmTimer();
    }
}
