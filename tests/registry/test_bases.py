"""Are bases found by their names?"""

from __future__ import annotations

import pytest

from picdeed.core.errors import UnknownSubject
from picdeed.registry import bases


def test_by_name(full, life):
    with full.read() as session:
        assert bases.by_name(session, "sprig").id == life.base.id == bases.base_id("5" * 64)
        assert bases.find(session, "sprig").deed == {"pictures": 5}
        assert bases.find(session, "other") is None
        assert [b.name for b in bases.all_bases(session)] == ["sprig"]
        with pytest.raises(UnknownSubject, match="other"):
            bases.by_name(session, "other")
