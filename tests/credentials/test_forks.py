from __future__ import annotations

import os
import threading

import pytest

from picdeed.credentials import forks
from picdeed.credentials.forks import Gate


def test_threads_are_inside_together():
    gate, together = Gate(), threading.Barrier(4, timeout=20)

    def enter():
        with gate.passed():
            together.wait()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken


def test_closing_waits_until_everybody_is_out_and_keeps_others_out():
    gate, told = Gate(), []
    inside, leave, closed = (threading.Event() for _ in range(3))

    def first():
        with gate.passed():
            inside.set()
            leave.wait(20)
            told.append("first is out")

    def fork():
        inside.wait(20)
        gate.close()
        told.append("closed")
        closed.set()
        gate.open()

    def late():
        with gate.passed():
            told.append("late is in")

    threads = [threading.Thread(target=each) for each in (first, fork)]
    for thread in threads:
        thread.start()
    assert not closed.wait(0.2)
    threads.append(threading.Thread(target=late))
    threads[-1].start()
    leave.set()
    for thread in threads:
        thread.join(20)
    assert told == ["first is out", "closed", "late is in"]


def test_a_stuck_thread_does_not_stop_a_fork_for_ever(monkeypatch):
    monkeypatch.setattr(forks, "PATIENCE", 0.05)
    gate = Gate()
    with gate.passed():
        gate.close()
        gate._open_in_child()
        assert gate._inside == 0


def test_an_error_inside_leaves_the_gate_usable():
    gate = Gate()
    with pytest.raises(RuntimeError), gate.passed():
        raise RuntimeError
    gate.close()
    gate.open()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_real_child_finds_the_gate_open():
    gate = Gate()
    gate.watch_forks()
    child = os.fork()
    if child == 0:
        with gate.passed():
            os._exit(0 if gate._inside == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
