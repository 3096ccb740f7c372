"""What did servers answer, as somebody recorded it? WARC files and JSON Lines of evidence.

WARC: ISO 28500. A JSON line is {"url", "status", "headers", "body" or "body_base64",
"fetched_at"}, or {"url", "error", "fetched_at"} where nothing answered. A file that breaks off or
cannot be understood is refused as a whole: the lost record could be the one that reserves.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from picdeed.core.errors import SourceError, UsageError
from picdeed.core.ids import canonical_json, sha256
from picdeed.core.limits import DEFAULT, Limits
from picdeed.sources.items import shown
from picdeed.sources.unpack import UnpackError, unpacked

BODY_BYTES = 8 << 20
"""Longer bodies are not kept; a picture's never is, only its hash."""

MOST_HOPS = 5
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_HTTP = ("HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer. `status` 0: nothing answered, `problem` says why. `fetched_at` is ISO-8601 UTC.

    `sha256` hashes the raw bytes as they stand in the evidence: the WARC record's block, or the
    JSON line. `body` is unpacked; None where it was too long to keep or could not be unpacked.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    fetched_at: str
    sha256: str
    problem: str = ""

    def header(self, name: str) -> str:
        """The values of one header, joined by commas."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    def as_json(self) -> dict[str, Any]:
        """The JSON line that says the same; `responses` reads it back."""
        if not self.status:
            return {"url": self.url, "error": self.problem, "fetched_at": self.fetched_at}
        return {
            "url": self.url,
            "status": self.status,
            "headers": [list(pair) for pair in self.headers],
            "body_base64": base64.b64encode(self.body or b"").decode(),
            "body_kept": self.body is not None,
            "raw_sha256": self.sha256,
            "fetched_at": self.fetched_at,
        }


@dataclass(frozen=True, slots=True)
class Chain:
    """The answers from one URL to where its redirects end. `problem`: why there is no end."""

    answers: tuple[Recorded, ...]
    problem: str = ""

    @property
    def last(self) -> Recorded | None:
        """The final answer, None when there is none."""
        return None if self.problem or not self.answers else self.answers[-1]


@dataclass(slots=True)
class Evidence:
    """Every recorded answer by the plain form of its URL, oldest first."""

    by_url: dict[str, list[Recorded]] = field(default_factory=dict)

    def add(self, answer: Recorded) -> None:
        self.by_url.setdefault(plain_url(answer.url), []).append(answer)

    def chains(self, url: str) -> list[Chain]:
        """One chain for each time that `url` was asked; redirects are followed inside."""
        return [self._follow(first) for first in self.by_url.get(plain_url(url), ())]

    def _follow(self, first: Recorded) -> Chain:
        answers, seen = [first], {plain_url(first.url)}
        while (target := redirect_of(answers[-1])) is not None:
            key = plain_url(target)
            if key in seen or len(answers) > MOST_HOPS:
                return Chain(tuple(answers), "redirects lead in a circle or too far")
            found = self.by_url.get(key)
            if not found:
                return Chain(tuple(answers), f"a redirect leads to {target[:200]}, not recorded")
            seen.add(key)
            # Of several answers the first at or after the redirect, else the newest.
            later = [each for each in found if each.fetched_at >= answers[-1].fetched_at]
            answers.append(later[0] if later else found[-1])
        if not answers[-1].status:
            return Chain(tuple(answers), answers[-1].problem or "no answer")
        return Chain(tuple(answers))


def redirect_of(answer: Recorded) -> str | None:
    """Where an answer sends its reader, None when it is no redirect."""
    place = answer.header("location")
    if answer.status not in _REDIRECTS or not place:
        return None
    try:
        return urljoin(answer.url, place.strip())
    except ValueError:
        return place


def plain_url(url: str) -> str:
    """One spelling of a URL: lower-case scheme and host, no default port, no fragment."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return url.strip()
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower().rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != _PORTS.get(scheme):
        host = f"{host}:{port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit((scheme, host, path, parts.query, ""))


def origin_of(url: str) -> str | None:
    """`https://host[:port]` of a web URL, None for anything else."""
    try:
        _ = urlsplit(url.strip()).port
    except ValueError:
        return None
    parts = plain_url(url).partition("://")
    if parts[0] not in _PORTS or not parts[2].partition("/")[0]:
        return None
    return f"{parts[0]}://{parts[2].partition('/')[0]}"


def responses(path: Path, limits: Limits = DEFAULT) -> Evidence:
    """Every answer in a .warc, .warc.gz or .jsonl file.

    Raises UsageError when there is no such file, SourceError naming the first record that cannot
    be understood.
    """
    if not path.is_file():
        raise UsageError(
            f"There is no evidence file {shown(str(path))}; nothing was recorded.",
            hint="Name a .warc, .warc.gz or .jsonl file after --evidence.",
        )
    found = Evidence()
    with path.open("rb") as stream:
        start = stream.read(8)
        stream.seek(0)
        warc = start.startswith((b"WARC/", b"\x1f\x8b"))
        for answer in _warc(stream, path.name, limits) if warc else _lines(stream, path.name):
            found.add(answer)
    for answers in found.by_url.values():
        answers.sort(key=lambda answer: answer.fetched_at)
    return found


def read_lines(data: bytes, name: str) -> Evidence:
    """The answers of JSON Lines in memory, as `responses` reads them from a file."""
    found = Evidence()
    for answer in _lines(io.BytesIO(data), name):
        found.add(answer)
    return found


def lines_of(answers: Sequence[Recorded]) -> bytes:
    """JSON Lines that `responses` reads back."""
    return b"".join(canonical_json(answer.as_json()) + b"\n" for answer in answers)


def _lines(stream: BinaryIO, name: str) -> Iterator[Recorded]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            yield _from_json(said, sha256(line.rstrip(b"\r\n")))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _broken(name, f"line {number}: {_why(error)}") from error


def _from_json(said: Any, digest: str) -> Recorded:
    if not isinstance(said, dict) or not isinstance(said.get("url"), str):
        raise TypeError("no object with a url")
    at = utc_of(said["fetched_at"])
    status = said.get("status")
    if said.get("error") is not None or status in (None, 0):
        why = str(said.get("error") or "no answer")
        return Recorded(said["url"], 0, (), None, at, digest, why[:500])
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:  # noqa: PLR2004
        raise ValueError("no status")
    headers = tuple(_headers(said.get("headers") or {}))
    if isinstance(said.get("body_base64"), str):
        body: bytes | None = base64.b64decode(said["body_base64"], validate=True)
    elif isinstance(said.get("body", ""), str):
        body = said.get("body", "").encode("utf-8", "surrogatepass")
    else:
        raise TypeError("a body that is no text")
    if said.get("body_kept") is False or len(body or b"") > BODY_BYTES:
        body = None
    return Recorded(said["url"], status, headers, body, at, digest)


def _headers(said: Any) -> Iterator[tuple[str, str]]:
    for name, value in said.items() if isinstance(said, Mapping) else said:
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str | int | float):
                raise TypeError("a header that is no text")
            yield str(name), str(each)


def _warc(stream: BinaryIO, name: str, limits: Limits) -> Iterator[Recorded]:
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    number = 0
    try:
        for record in ArchiveIterator(stream, no_record_parse=True):
            number += 1
            if record.rec_type not in ("response", "revisit"):
                continue
            raw = _block(record, limits)
            if raw.startswith(b"HTTP/"):
                said = record.rec_headers
                url = str(said.get_header("WARC-Target-URI") or "").strip("<>")
                found = _from_block(raw, url, utc_of(said.get_header("WARC-Date")))
                # A revisit names a body recorded earlier and does not hold it.
                yield found if record.rec_type == "response" else replace(found, body=None)
    except (ArchiveLoadFailed, ValueError, TypeError, OSError, EOFError) as error:
        raise _broken(name, f"record {number}: {_why(error)}") from error
    if not number:
        raise _broken(name, "it holds no WARC record")


def _block(record: Any, limits: Limits) -> bytes:
    size = int(record.rec_headers.get_header("Content-Length") or -1)
    if not 0 <= size <= limits.picture_bytes:
        raise ValueError("its size is missing or beyond the limit")
    raw: bytes = record.raw_stream.read(size)
    if len(raw) != size:
        raise ValueError("it breaks off")
    return raw


def _from_block(raw: bytes, url: str, at: str) -> Recorded:
    from warcio.statusandheaders import StatusAndHeadersParser, StatusAndHeadersParserException

    block = io.BytesIO(raw)
    try:
        said = StatusAndHeadersParser(list(_HTTP), verify=False).parse(block)
        status = int(said.get_statuscode())
    except (StatusAndHeadersParserException, EOFError, ValueError) as error:
        return Recorded(url, 0, (), None, at, sha256(raw), f"no HTTP response: {_why(error)}")
    headers = tuple((str(name), str(value)) for name, value in said.headers)
    found = Recorded(url, status, headers, None, at, sha256(raw))
    if found.header("content-type").lower().startswith("image/"):
        return found
    try:
        body = unpacked(
            block.read(),
            found.header("transfer-encoding"),
            found.header("content-encoding"),
            BODY_BYTES,
        )
    except UnpackError as error:
        return Recorded(url, status, headers, None, at, found.sha256, str(error))
    return Recorded(url, status, headers, body, at, found.sha256)


def utc_of(text: Any) -> str:
    """ISO-8601 UTC with microseconds; a time without a zone is taken as UTC. Raises ValueError."""
    when = datetime.fromisoformat(str(text).strip())
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    if isinstance(error, binascii.Error):
        return "body_base64 is no base64"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _broken(name: str, why: str) -> SourceError:
    return SourceError(
        f"{shown(name)} cannot be used as evidence: {why}; nothing was recorded.",
        hint="Record the responses again.",
    )
