"""The command line, called in this process: a new one imports for seconds."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from picdeed.cli import main


def called(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *arguments: str,
    text: bool = False,
) -> tuple[int, Any]:
    """Exit code and the one JSON document, or, with `text`, what a person reads on one line."""
    more = () if text else ("--json",)
    monkeypatch.setattr(sys, "argv", ["picdeed", *arguments, *more])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    told, errors = capfd.readouterr()
    assert "Traceback" not in errors, errors
    code = int(ended.value.code or 0)
    return code, " ".join((told + errors).split()) if text else json.loads(told)
