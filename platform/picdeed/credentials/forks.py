"""How may a process fork while its threads are inside the c2pa library? Only when none is."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30.0  # seconds that a fork waits; a stuck thread must not stop the whole process


class Gate:
    """Lets threads in together, and none while the process forks.

    The library has locks of its own. A child that inherits one held by a thread it does not have
    waits for ever, so a fork first closes the gate and waits until everybody is out.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Inside the library until the end of the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Before a fork. Keeps the condition's lock, so that the child inherits it from us."""
        self._changed.acquire()
        self._closed = True
        self._changed.wait_for(lambda: self._inside == 0, PATIENCE)

    def open(self) -> None:
        """After a fork, in the parent and in the child alike."""
        self._closed = False
        self._changed.notify_all()
        self._changed.release()

    def watch_forks(self) -> None:
        """From now on, for the life of the process."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self.close, after_in_parent=self.open, after_in_child=self._open_in_child
            )

    def _open_in_child(self) -> None:
        self._inside = 0  # the threads that were inside, if patience ran out, are not here
        self.open()
