"""A registry with a little of everything that needs no training, and pages that read it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from picdeed.core.events import Event
from picdeed.flow import pipeline
from picdeed.registry import ledger
from picdeed.registry.outputs import Output
from picdeed.testing import tiny_pictures, tiny_registry
from picdeed_ui import data

MAIN = Path(__file__).resolve().parents[2] / "dashboard" / "main.py"
# What a caption, a file name or a prompt may hold.
HOSTILE = (
    '<img src=x onerror="alert(1)"> **bold** [go](http://evil.example) :red[x] :material/face:'
)
WAIT = 120


@pytest.fixture(autouse=True)
def own_main():
    """Streamlit runs a page as `__main__` and leaves it there: a process that a later test spawns
    would run that page again, without its arguments."""
    kept = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = kept


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """An empty registry that the pages find."""
    registry = tiny_registry(tmp_path / "registry")
    monkeypatch.setenv("PICDEED_REGISTRY", str(registry.root))
    data._opened.cache_clear()
    yield registry
    data._opened.cache_clear()


@pytest.fixture
def filled(opened, tmp_path):
    """Nine pictures: seven CC0, one without a licence, one whose caption is hostile."""
    folder = tiny_pictures(tmp_path / "pictures", 7)
    tiny_pictures(folder, 1, {"author": "Nobody"}, first=8)
    tiny_pictures(folder, 1, {"license": "CC0-1.0", "caption": HOSTILE}, first=9)
    pipeline.register(opened, folder, "tiny")
    return opened


@pytest.fixture
def alike(opened, tmp_path):
    """The snapshot of two CC-BY-SA pictures: trainable, but what it becomes needs a REVIEW."""
    folder = tiny_pictures(tmp_path / "alike", 2, {"license": "CC-BY-SA-4.0", "author": "Eve"})
    pipeline.register(opened, folder, "alike")
    return pipeline.freeze(opened, "alike").snapshot


@pytest.fixture
def go():
    """Run one page to its end; fails on an exception that a user would meet."""

    def run(name: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=WAIT).run()
        assert not app.exception, app.exception
        for key, value in query.items():
            app.query_params[key] = value
        app.switch_page(f"picdeed_ui/pages/{name}.py").run()
        assert not app.exception, app.exception
        return app

    return run


class Hand:
    """A person at a page: presses, fills, reads."""

    def __init__(self, go) -> None:
        self.go = go

    def press(self, app: AppTest, label: str) -> AppTest:
        """Press the button with this label; fails on an exception that a user would meet."""
        app = self.button(app, label).click().run()
        assert not app.exception, app.exception
        return app

    def button(self, app: AppTest, label: str):
        return next(one for one in app.button if one.label == label)

    def field(self, app: AppTest, kind: str, label: str):
        """The input with this label; fails when it is not there."""
        return next(one for one in app.get(kind) if one.label == label)

    def said(self, app: AppTest) -> str:
        return said_by(app)


@pytest.fixture
def hand(go):
    return Hand(go)


@pytest.fixture
def hostile() -> str:
    return HOSTILE


def said_by(app: AppTest) -> str:
    """All that a page says, in one string: its HTML, its messages, its headings."""
    said = [getattr(one.proto, "body", "") for one in app.get("html")]
    for kind in (
        "title",
        "subheader",
        "markdown",
        "caption",
        "error",
        "info",
        "success",
        "warning",
    ):
        said += [str(one.value) for one in app.get(kind)]
    return "\n".join(said)


@pytest.fixture
def said():
    return said_by


@pytest.fixture
def output(opened):
    """Record an output: output(prompt, signed bytes or None) -> its id."""

    def put(prompt: str, blob: bytes | None = None) -> str:
        return put_output(opened, prompt, blob)

    return put


def put_output(registry, prompt: str, blob: bytes | None = None) -> str:
    """Record one output that no adapter drew; without `blob` it is held back."""
    made = Output(
        id="out_" + "ab" * 32,
        base_id=data.all_bases()[0].id,
        recipe={"steps": 20, "guidance": 2.5, "sampler": "ddim"},
        prompt=prompt,
        seed=7,
        pixel_sha256="cd" * 32,
        sha256=registry.blobs.put(blob) if blob else None,
        state="good" if blob else "held",
        created_at="2026-01-01T00:00:00+00:00",
    )
    with registry.write() as session:
        ledger.write(session, Event.GENERATE_DRAWN, {"outputs": [made.id]}, [made])
    return made.id
