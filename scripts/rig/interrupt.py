"""Ending on Ctrl-C, with status 0 and nothing left behind."""

import ctypes
import os
import signal
import sys


class Interrupted(BaseException):
    """Somebody wants the program to end."""


class Interrupt:
    """Turns SIGINT, SIGTERM, SIGHUP and the end of our parent into Interrupted.

    In a terminal we take its foreground for ourselves: else Ctrl-C would end make too, which calls
    that a failure. Set even where SIGINT was ignored, as a shell does for what it runs in the background.
    """

    def __init__(self):
        self._terminal = None

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._raise)
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        if sys.stdin.isatty() and os.tcgetpgrp(0) == os.getpgrp() != os.getpid():
            self._terminal = os.getpgrp()
            os.setpgid(0, 0)
            take_foreground(os.getpgrp())
        return self

    def __exit__(self, *_):
        if self._terminal:
            take_foreground(self._terminal)
            self._terminal = None

    def hold(self):
        """From here on ends quickly: one more signal is the last."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _raise(self, *_):
        raise Interrupted


def take_foreground(group):
    """Makes a process group the terminal's; a background process may only with SIGTTOU ignored."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(0, group)
    finally:
        signal.signal(signal.SIGTTOU, before)
