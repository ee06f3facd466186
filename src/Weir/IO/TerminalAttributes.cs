using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weir;

/// <summary>What TCGETS and TCSETS of ioctl_tty(2) carry: the kernel's struct termios (asm-generic/termbits.h), which is not the C library's.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TerminalAttributes
{
    private uint _input;
    private uint _output;
    private uint _control;
    private uint _local;
    private readonly byte _line;
    private ControlCharacters _characters;

    [InlineArray(19)]
    private struct ControlCharacters
    {
        private byte _first;
    }

    /// <summary>cfmakeraw(3).</summary>
    internal void MakeRaw()
    {
        const uint IgnoreBreak = 1, BreakInterrupts = 2, MarkParity = 8, Strip = 0x20, NewLineToReturn = 0x40, IgnoreReturn = 0x80, ReturnToNewLine = 0x100, FlowControl = 0x400;
        const uint PostProcess = 1;
        const uint Signals = 1, Canonical = 2, Echo = 8, EchoNewLine = 0x40, Extended = 0x8000;
        const uint SizeMask = 0x30, Parity = 0x100, EightBits = 0x30;
        const int Time = 5, Minimum = 6;
        _input &= ~(IgnoreBreak | BreakInterrupts | MarkParity | Strip | NewLineToReturn | IgnoreReturn | ReturnToNewLine | FlowControl);
        _output &= ~PostProcess;
        _local &= ~(Echo | EchoNewLine | Canonical | Signals | Extended);
        _control = (_control & ~(SizeMask | Parity)) | EightBits;
        _characters[Minimum] = 1;
        _characters[Time] = 0;
    }
}
