"""Are recorded answers read whole, with time and hash, and a broken record refused by name?"""

from __future__ import annotations

import gzip
import hashlib
import io
import json

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from picdeed.core.errors import SourceError, UsageError
from picdeed.sources.responses import lines_of, origin_of, plain_url, read_lines, responses

URL = "https://example.org/a.jpg"
DAY = "2026-11-01T10:00:00Z"
UTC = "2026-11-01T10:00:00.000000Z"


def line(url=URL, status=200, **more):
    return {"url": url, "status": status, "headers": {}, "body": "", "fetched_at": DAY} | more


def jsonl(tmp_path, *lines):
    path = tmp_path / "evidence.jsonl"
    path.write_text(
        "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    )
    return path


def warc(path, *answers, zipped=True):
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=zipped)
        writer.write_record(writer.create_warcinfo_record("e.warc", {"software": "t"}))
        for url, status, headers, body in answers:
            record = writer.create_warc_record(
                url,
                "response",
                payload=io.BytesIO(body),
                http_headers=StatusAndHeaders(status, headers, protocol="HTTP/1.1"),
                warc_headers_dict={"WARC-Date": DAY},
            )
            writer.write_record(record)
    return path


def only(found, url=URL):
    (answer,) = found.by_url[plain_url(url)]
    return answer


@pytest.mark.parametrize("zipped", [True, False])
def test_a_warc(tmp_path, zipped):
    name = "e.warc.gz" if zipped else "e.warc"
    robots = "https://example.org/robots.txt"
    found = responses(
        warc(
            tmp_path / name,
            (URL, "200 OK", [("Content-Type", "image/png"), ("X-Robots-Tag", "noai")], b"pixels"),
            (
                robots,
                "200 OK",
                [("Content-Encoding", "gzip")],
                gzip.compress(b"User-agent: *", mtime=0),
            ),
            (f"{robots}?2", "503 Busy", [], b""),
            zipped=zipped,
        )
    )
    picture = only(found)
    assert (picture.status, picture.body, picture.fetched_at) == (200, None, UTC)
    assert picture.header("x-robots-tag") == "noai"
    block = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nX-Robots-Tag: noai\r\n\r\npixels"
    assert picture.sha256 == hashlib.sha256(block).hexdigest()
    assert only(found, robots).body == b"User-agent: *"
    assert only(found, f"{robots}?2").status == 503


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_warc_that_breaks_off_is_refused(tmp_path, cut, zipped):
    path = warc(tmp_path / "e.warc", (URL, "200 OK", [], bytes(3000)), zipped=False)
    data = path.read_bytes()
    data = data[: int(len(data) * cut)]
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(SourceError, match="nothing was recorded"):
        responses(path)


def test_a_torn_gzip_is_refused(tmp_path):
    path = warc(tmp_path / "e.warc.gz", (URL, "200 OK", [], bytes(range(256)) * 40))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(SourceError):
        responses(path)


def test_json_lines(tmp_path):
    answer = only(responses(jsonl(tmp_path, line(headers={"X-A": ["1", "2"]}, body="é"), "")))
    assert (answer.body, answer.header("x-a")) == ("é".encode(), "1, 2")
    raw = json.dumps(line(headers={"X-A": ["1", "2"]}, body="é")).encode()
    assert answer.sha256 == hashlib.sha256(raw).hexdigest()
    packed = only(responses(jsonl(tmp_path, line(body_base64="AAE="))))
    assert packed.body == b"\0\1"
    lost = only(responses(jsonl(tmp_path, {"url": URL, "error": "timeout", "fetched_at": DAY})))
    assert (lost.status, lost.problem) == (0, "timeout")


@pytest.mark.parametrize("at", ["2026-11-01T11:00:00+01:00", "2026-11-01T10:00:00", DAY])
def test_times_are_utc(tmp_path, at):
    assert only(responses(jsonl(tmp_path, line(fetched_at=at)))).fetched_at == UTC


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{", "line 2"),
        ("[]", "no object with a url"),
        ({"url": URL, "status": 200}, "fetched_at is missing"),
        (line(fetched_at="yesterday"), "line 2"),
        (line(status="200"), "no status"),
        (line(status=42), "no status"),
        (line(body_base64="%"), "base64"),
        (line(body=3), "body"),
        (line(headers={"a": {}}), "header"),
        ("[" * 100_000, "line 2"),
    ],
)
def test_a_broken_line_is_named_and_refuses_all(tmp_path, bad, why):
    with pytest.raises(SourceError, match=why):
        responses(jsonl(tmp_path, line(), bad))


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="no evidence file"):
        responses(tmp_path / "none.warc")


def go(url, to, **more):
    return line(url, 302, headers={"Location": to}, **more)


def test_redirects_are_followed(tmp_path):
    there = "https://cdn.example/x.jpg"
    found = responses(
        jsonl(tmp_path, go(URL, "/b.jpg"), go("https://example.org/b.jpg", there), line(there))
    )
    (chain,) = found.chains("HTTPS://Example.org:443/a.jpg#x")
    assert [answer.status for answer in chain.answers] == [302, 302, 200]
    assert chain.last is not None


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([go(URL, URL)], "circle"),
        ([go(URL, "/b"), go("https://example.org/b", "/a.jpg")], "circle"),
        ([go(URL, "/b")], "not recorded"),
        ([go(f"https://example.org/{n}", f"/{n + 1}") for n in range(9)], "too far"),
        ([{"url": URL, "error": "timeout", "fetched_at": DAY}], "timeout"),
    ],
)
def test_redirects_that_lead_nowhere(tmp_path, lines, why):
    (chain,) = responses(jsonl(tmp_path, *lines)).chains(lines[0]["url"])
    assert chain.last is None
    assert why in chain.problem


def test_every_time_counts(tmp_path):
    later = line(fetched_at="2026-12-01T10:00:00Z", headers={"X-Robots-Tag": "noai"})
    assert len(responses(jsonl(tmp_path, later, line())).chains(URL)) == 2


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.example/b", "https://a.example"),
        ("http://a.example:80/b", "http://a.example"),
        ("https://a.example:8443", "https://a.example:8443"),
        ("ftp://a.example/b", None),
        ("not a url", None),
        ("https:///x", None),
        ("https://a.example:99999/", None),
        ("", None),
    ],
)
def test_origins(url, origin):
    assert origin_of(url) == origin


def test_lines_come_back(tmp_path):
    answer = only(responses(jsonl(tmp_path, line(headers={"A": "b"}, body="x"))))
    back = only(read_lines(lines_of([answer]), "kept"))
    assert (back.status, back.headers, back.body) == (answer.status, answer.headers, answer.body)
