from __future__ import annotations

import socket

import pytest

from picdeed.cli import serve
from picdeed.core.errors import BusyError


def test_a_port_that_is_taken_is_said_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BusyError) as refused:
            serve._require_free("127.0.0.1", port)
    assert str(port) in refused.value.message
    assert "--port" in refused.value.hint
