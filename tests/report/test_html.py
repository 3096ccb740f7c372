from __future__ import annotations

import json
from pathlib import Path

import pytest

from picdeed.core.errors import UsageError
from picdeed.flow.audit import Audited, Problem
from picdeed.report.html import LIMITS, as_html, content_of, write_audit
from picdeed.testing import tiny_registry

EVIL = "<script>alert(1)</script>"


def audited(*problems: Problem) -> Audited:
    return Audited(not problems, None, 3, {"rows": 4, "pictures": 1}, problems)


def test_every_value_is_escaped_and_nothing_is_fetched(tmp_path: Path) -> None:
    registry = tiny_registry(tmp_path / "registry")
    page = as_html(content_of(registry, audited(Problem(EVIL, "blob-altered", EVIL))))
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert "Not everything holds." in page
    assert "http" not in page.replace("https://", "http").split("<body>")[0]
    assert "<link" not in page
    assert "src=" not in page


def test_json_and_html_hold_the_same(tmp_path: Path) -> None:
    registry = tiny_registry(tmp_path / "registry")
    write_audit(registry, audited(), tmp_path / "audit.json")
    write_audit(registry, audited(), tmp_path / "audit.html")
    content = json.loads((tmp_path / "audit.json").read_text())
    page = (tmp_path / "audit.html").read_text()
    assert content["ok"] is True
    assert content["limits"] == LIMITS
    assert content["head"]["hash"] in page
    assert len(content["events"]) == content["head"]["sequence"]


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    registry = tiny_registry(tmp_path / "registry")
    with pytest.raises(UsageError, match=r"\.html or \.json"):
        write_audit(registry, audited(), tmp_path / "audit.docx")
    assert not (tmp_path / "audit.docx").exists()
