"""Do recorded answers become claims, with their evidence kept, once, and never as more than said?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from picdeed.core.errors import SourceError, UsageError
from picdeed.flow import pipeline
from picdeed.flow.signals import signals
from picdeed.flow.statements import Given
from picdeed.registry import claims, conclusions, ledger, pictures
from picdeed.registry.session import Registry
from picdeed.sources.responses import Recorded
from picdeed.testing import tiny_pictures

SITE = "https://pictures.example"
DAY, UTC = "2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000000Z"


def line(path: str, status: int = 200, headers=None, body: str = "", **more):
    return {
        "url": SITE + path,
        "status": status,
        "headers": headers or {},
        "body": body,
        "fetched_at": DAY,
    } | more


OPEN = [line("/robots.txt", 404), line("/.well-known/tdmrep.json", 404), line("/ai.txt", 404)]
JPEG = {"Content-Type": "image/jpeg"}
PICTURE = line("/art/a.jpg", headers=JPEG)


@pytest.fixture
def one(registry: Registry, tmp_path: Path) -> Registry:
    """A registry with one picture that came from the site."""
    source = tiny_pictures(tmp_path / "source", 1)
    given = Given(source_url=f"{SITE}/art/a.jpg")
    pipeline.register(registry, source, "d", given=given)
    return registry


@pytest.fixture
def read(one: Registry, tmp_path: Path):
    def read(*lines):
        path = tmp_path / "evidence.jsonl"
        path.write_text("\n".join(json.dumps(each) for each in lines))
        return signals(one, pipeline.rules(), responses=path)

    return read


def said(registry: Registry):
    with registry.read() as session:
        rows = [r for r in session.query(claims.PictureClaim) if r.source in ("http", "site-file")]
    return {(row.kind, row.status, row.parsed) for row in rows}


def counts(done):
    return (done.checked, done.opt_outs, done.unreachable, done.not_checked)


def test_a_site_that_reserves_nothing(one, read):
    done = read(PICTURE, *OPEN)
    assert counts(done) == (1, 0, 0, 0)
    assert done.warnings == ()
    found = {"picture", "robots.txt", "tdmrep.json", "ai.txt"}
    assert said(one) == {("checked", "parsed", what) for what in found}
    with one.read() as session:
        row = session.query(claims.PictureClaim).filter_by(kind="checked", parsed="picture").one()
        event = ledger.events(session)[-1]
    assert row.observed_at == UTC
    assert json.loads(row.raw)["url"] == f"{SITE}/art/a.jpg"
    assert event.kind == "signals.read"
    digest = row.note.rpartition("sha256:")[2]
    assert b"/art/a.jpg" in one.blobs.read(digest)


@pytest.mark.parametrize(
    "lines",
    [
        [line("/art/a.jpg", headers=JPEG | {"x-robots-tag": "NoAI"}), *OPEN],
        [line("/art/a.jpg", headers={"TDM-Reservation": "1"}), *OPEN],
        [line("/art/a.jpg", body='<html><meta name="robots" content="noai"></html>'), *OPEN],
        [PICTURE, line("/robots.txt", body="User-agent: GPTBot\nDisallow: /art/"), *OPEN[1:]],
        [PICTURE, OPEN[0], line("/.well-known/tdmrep.json", body='[{"location": "/art/*", "tdm-reservation": 1}]'), OPEN[2]],
        [line("/art/a.jpg", 302, {"Location": "/b.jpg", "tdm-reservation": "1"}), line("/b.jpg", headers=JPEG), *OPEN],
        [PICTURE, line("/art/a.jpg", headers=JPEG | {"X-Robots-Tag": "noai"}, fetched_at="2026-11-02"), *OPEN],
    ],
)  # fmt: skip
def test_what_reserves(one, read, lines):
    assert counts(read(*lines)) == (0, 1, 0, 0)
    assert any(kind == "opt-out" and status == "parsed" for kind, status, _ in said(one))
    pipeline.license(one, pipeline.rules())
    with one.read() as session:
        note = session.query(claims.PictureClaim).filter_by(kind="opt-out").first().note
    assert "record sha256:" in note
    assert one.blobs.exists(note.rpartition("sha256:")[2][:64])


@pytest.mark.parametrize(
    "lines",
    [
        [PICTURE, line("/robots.txt", body="<html>not here</html>"), *OPEN[1:]],
        [PICTURE, *OPEN[:2], line("/ai.txt", body="User-Agent: *\nDisallow: /")],
        [PICTURE, OPEN[0], line("/.well-known/tdmrep.json", body="{"), OPEN[2]],
        [line("/art/a.jpg", headers={"Content-Usage": "train-ai=n"}), *OPEN],
        [line("/art/a.jpg", headers={"Content-Type": "text/html"}, body_kept=False), *OPEN],
    ],
)
def test_what_a_person_must_read(one, read, lines):
    assert counts(read(*lines)) == (0, 1, 0, 0)
    doubts = {status for kind, status, _ in said(one) if kind == "opt-out"}
    assert doubts <= {"unparsed", "unreadable"}
    assert doubts


def test_a_site_that_fails_asks_a_person_until_it_answers(one, read):
    def train():
        pipeline.settle(one, pipeline.rules())
        with one.read() as session:
            (row,) = conclusions.conclusions(session, pictures.all_ids(session)).values()
            return row.verdicts["train"]

    assert counts(read(PICTURE, line("/robots.txt", 503), *OPEN[1:])) == (0, 0, 1, 0)
    assert train() == "REVIEW"
    assert counts(read(PICTURE, *OPEN)) == (1, 0, 0, 0)
    assert train() == "REVIEW"  # an answer of the same moment does not outweigh the failure
    read(PICTURE, line("/robots.txt", 404, fetched_at="2026-11-02T00:00:00Z"), *OPEN[1:])
    assert train() != "REVIEW"


@pytest.mark.parametrize(
    "answer",
    [
        line("/art/a.jpg", 500),
        line("/art/a.jpg", 404),
        line("/art/a.jpg", 302, {"Location": "/art/a.jpg"}),
        line("/art/a.jpg", 302, {"Location": "/gone.jpg"}),
        {"url": f"{SITE}/art/a.jpg", "error": "timeout", "fetched_at": DAY},
    ],
)
def test_no_answer_is_no_check(one, read, answer):
    done = read(answer, *OPEN)
    assert counts(done) == (0, 0, 1, 0)
    assert done.warnings
    assert ("checked", "parsed", "picture") not in said(one)


def test_another_pictures_answer_is_none_for_this_one(one, read):
    done = read(line("/art/other.jpg", headers=JPEG), *OPEN)
    assert counts(done) == (0, 0, 0, 1)
    assert ("checked", "parsed", "picture") not in said(one)


def test_missing_site_files_are_named(read):
    done = read(PICTURE)
    assert sum("not in the evidence" in warning for warning in done.warnings) == 3


def test_a_later_check_is_a_new_claim_and_a_repeated_one_is_none(one, read):
    read(PICTURE, *OPEN)
    with one.read() as session:
        before = ledger.last_event(session)
    read(PICTURE, *OPEN)
    with one.read() as session:
        assert ledger.last_event(session) == before
    read(line("/art/a.jpg", headers=JPEG, fetched_at="2026-12-01T00:00:00Z"), *OPEN)
    with one.read() as session:
        rows = session.query(claims.PictureClaim).filter_by(kind="checked", parsed="picture").all()
    assert len({row.observed_at for row in rows}) == 2


def test_broken_evidence_records_nothing(one, tmp_path):
    path = tmp_path / "evidence.jsonl"
    path.write_text(json.dumps(PICTURE) + "\n{")
    with one.read() as session:
        before = ledger.last_event(session)
    with pytest.raises(SourceError, match="line 2"):
        signals(one, pipeline.rules(), responses=path)
    with one.read() as session:
        assert ledger.last_event(session) == before


def test_without_evidence_and_without_the_network(one):
    with pytest.raises(UsageError, match="nothing to read"):
        signals(one, pipeline.rules())


def test_a_picture_without_a_source(registry, tmp_path):
    pipeline.register(registry, tiny_pictures(tmp_path / "s", 2), "d")
    path = tmp_path / "e.jsonl"
    path.write_text(json.dumps(PICTURE))
    assert counts(signals(registry, pipeline.rules(), "d", responses=path)) == (0, 0, 0, 2)


class Site:
    """Answers by path, as a fetcher would give them."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    def __call__(self, url):
        self.asked.append(url.removeprefix(SITE))
        status, headers, body = self.answers.get(self.asked[-1], (404, (), b""))
        return (Recorded(url, status, tuple(headers), body, UTC, "0" * 64),)


def test_fetched_answers_are_kept_as_evidence(one):
    site = Site(**{"/art/a.jpg": (200, [("X-Robots-Tag", "noai")], None)})
    done = signals(one, pipeline.rules(), fetch=True, ask=site)
    assert counts(done) == (0, 1, 0, 0)
    assert site.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/ai.txt", "/art/a.jpg"]
    with one.read() as session:
        note = session.query(claims.PictureClaim).filter_by(kind="opt-out").one().note
    kept = one.blobs.read(note.rpartition("sha256:")[2][:64])
    assert b"noai" in kept


def test_a_site_closed_to_us_is_not_asked_for_more(one):
    site = Site(**{"/robots.txt": (200, [], b"User-agent: picdeed\nDisallow: /")})
    done = signals(one, pipeline.rules(), fetch=True, ask=site)
    assert counts(done) == (0, 1, 0, 0)
    assert "/art/a.jpg" not in site.asked


def test_recorded_answers_are_not_asked_for_again(one, tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in [PICTURE, *OPEN]))
    site = Site()
    signals(one, pipeline.rules(), responses=path, fetch=True, ask=site)
    assert site.asked == []
