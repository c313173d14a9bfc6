"""Ctrl-C and termination of a command.

Python drops an exception that is raised in the callback of a fork or of a weak reference, and an import that is
interrupted may end in another error. So the handler of the signals also notes that the command is to end, and what
takes long looks at the note.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

asked = False  # whether the command that runs is to end


def stop(*_) -> None:
    """The handler of the signals."""
    global asked
    asked = True
    raise KeyboardInterrupt


def check() -> None:
    """Raise ``KeyboardInterrupt`` again where the command is to end and goes on nevertheless."""
    if asked:
        raise KeyboardInterrupt


@contextmanager
def stoppable() -> Iterator[None]:
    """End what runs inside on Ctrl-C and on termination. A caller in the same process keeps its own handlers.

    Nothing is changed outside of the main thread, and a signal that is ignored stays ignored.
    """
    global asked
    asked, before = False, {}
    try:
        if threading.current_thread() is threading.main_thread():
            for kind in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(kind) not in (signal.SIG_IGN, None):
                    before[kind] = signal.signal(kind, stop)
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        asked = False
