"""Is this file a whole feed of tombstones, signed by the key that it names?

JSON Lines: a header, one entry for each revoked picture, a signed head. The entries are one chain;
a feed with fingerprints (schema picdeed.tombstones/2) has the same chain, and a second one that
binds each entry to its fingerprint, so that both kinds of one feed tell one history. Every line is
bounded, and so is what is held of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Any

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import hash_json
from picdeed.core.moments import moment
from picdeed.flow.grounds import Ground
from picdeed.flow.looks import read_look
from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.local import ALGORITHM as CORNERS_ALGORITHM
from picdeed.registry import tombstones
from picdeed.registry.looks import TombstoneLook
from picdeed.registry.signed import verify_document
from picdeed.registry.tombstones import SCHEMA, Entry

SCHEMA_LOOKS = "picdeed.tombstones/2"
LONGEST_LINE = 4_096
LONGEST_LOOK = 49_152
MOST_ENTRIES = 5_000_000
MOST_LOOKS = 10_000  # 33 KB each
_HEX = frozenset("0123456789abcdef")
_DIGITS = 64


@dataclass(slots=True)
class Feed:
    """A whole, verified feed. `header` and `head_hash` are those of the feed without fingerprints.

    `entries` are those behind the entry `mark` that was asked about, `mark_hash` is that one's
    hash. `looks` are fingerprints by entry, None where the file is of the kind without.
    """

    header: dict[str, str]
    looks: dict[int, TombstoneLook] | None
    entries: list[Entry] = field(default_factory=list)
    last: int = 0
    head_hash: str = ""
    whole: str = ""
    mark_hash: str | None = None


def looks_header(header: dict[str, str]) -> dict[str, str]:
    """The first line of the same feed with fingerprints."""
    return {**header, "schema": SCHEMA_LOOKS}


def bound(entry: str, look: Any, previous: str) -> str:
    """The second chain: an entry's hash, its fingerprint (or null) and what came before."""
    return hash_json({"entry": entry, "looks": look, "previous": previous})


def is_feed(path: Path) -> bool:
    """Whether a file begins as a feed does, whatever stands behind it."""
    try:
        with path.open("rb") as stream:
            line = next(_lines(stream, path, LONGEST_LINE), None)
    except (OSError, UsageError):
        return False
    return isinstance(line, dict) and line.get("schema") in (SCHEMA, SCHEMA_LOOKS)


def feed_header(path: Path) -> dict[str, str]:
    """The first line of a feed, as the kind without fingerprints has it. Raises UsageError."""
    with _opened(path) as stream:
        return _header(next(_lines(stream, path, LONGEST_LINE), None), path)[0]


def whole_feed(path: Path, *, mark: int | None = None) -> Feed:
    """Every line of the file, verified; `mark` is the last entry that is known already.

    Raises UsageError on what is no feed, IntegrityError when it was edited or cut short.
    """
    with _opened(path) as stream:
        header, schema = _header(next(_lines(stream, path, LONGEST_LINE), None), path)
        longest = LONGEST_LINE if schema == SCHEMA else LONGEST_LOOK
        feed = Feed(header, None if schema == SCHEMA else {}, head_hash=hash_json(header))
        feed.whole = hash_json(looks_header(header))
        head: Any = None
        for line in _lines(stream, path, longest):
            if head is not None:
                raise broken(path, "something stands behind its signed head")
            if isinstance(line, dict) and "signature" in line:
                head = line
            else:
                _follow(feed, line, path, mark)
    _check_head(feed, head, path)
    return feed


def notes_on(feed: Feed) -> tuple[str, ...]:
    """What of a feed's fingerprints cannot be compared here."""
    said = (feed.looks or {}).values()
    found = [
        f"{n} of its fingerprints were written with {name}: compared by file and pixels only"
        for name, n in sorted(Counter(one.algorithm for one in said).items())
        if name != ALGORITHM
    ]
    return (
        *found,
        *(
            f"{n} of its fingerprints have corners of {name}: crops of these are not found"
            for name, n in sorted(Counter(str(one.corners_algorithm) for one in said).items())
            if name not in (CORNERS_ALGORITHM, "None")
        ),
    )


def _follow(feed: Feed, line: Any, path: Path, mark: int | None) -> None:
    look = None
    if feed.looks is not None:
        if not isinstance(line, dict) or not {"looks", "whole"} <= line.keys():
            raise broken(path, "one of its lines is no entry with a fingerprint")
        line = dict(line)
        look, whole = line.pop("looks"), line.pop("whole")
    entry = _entry(line, path)
    if (entry.seq, entry.previous) != (feed.last + 1, feed.head_hash) or not entry.holds():
        raise broken(path, f"entry {feed.last + 1} does not follow from those before it")
    if feed.looks is not None:
        feed.whole = bound(entry.hash, look, feed.whole)
        if whole != feed.whole:
            raise broken(path, f"the fingerprint of entry {entry.seq} is not the one that it had")
        _keep_look(feed, entry.seq, look, path)
    feed.last, feed.head_hash = entry.seq, entry.hash
    if mark is None or entry.seq > mark:
        feed.entries.append(entry)
    elif entry.seq == mark:
        feed.mark_hash = entry.hash


def _keep_look(feed: Feed, seq: int, look: Any, path: Path) -> None:
    if look is None or feed.looks is None:
        return
    if len(feed.looks) >= MOST_LOOKS:
        raise UsageError(
            f"{path} holds more than {MOST_LOOKS:,} fingerprints; nothing was changed.",
            hint="Ask its publisher for the feed without fingerprints.",
        )
    try:
        feed.looks[seq] = read_look(feed.header["feed"], seq, look)
    except ValueError as error:
        raise broken(path, f"the fingerprint of entry {seq} is malformed ({error})") from error


def _check_head(feed: Feed, head: Any, path: Path) -> None:
    said: dict[str, Any] = {"schema": SCHEMA, "seq": feed.last, "hash": feed.head_hash}
    if feed.looks is not None:
        said |= {"schema": SCHEMA_LOOKS, "whole": feed.whole}
    binds = isinstance(head, dict) and all(head.get(name) == said[name] for name in said)
    if not binds or not verify_document(head, feed.header["feed"]):
        raise broken(path, "its signed head is missing or vouches for something else")


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; nothing was changed."
        ) from error


def _lines(stream: IO[bytes], path: Path, longest: int) -> Iterator[Any]:
    """Each line's JSON value; None where a line is none."""
    for number, line in enumerate(iter(lambda: stream.readline(longest + 1), b"")):
        if len(line) > longest or number > MOST_ENTRIES:
            raise UsageError(f"{path} is larger than any feed; nothing was changed.")
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            yield None


def _header(line: Any, path: Path) -> tuple[dict[str, str], str]:
    """The header as the kind without fingerprints has it, and the file's own schema."""
    names = {"schema", "feed", "salt", "created"}
    whole = isinstance(line, dict) and line.keys() == names
    if (
        not whole
        or line["schema"] not in (SCHEMA, SCHEMA_LOOKS)
        or not (_is_digest(line["feed"]) and _is_digest(line["salt"]))
    ):
        raise UsageError(
            f"{path} is no tombstone feed; nothing was changed.",
            hint="picdeed tombstones export writes one.",
        )
    created = str(line["created"])
    return tombstones.header(line["feed"], line["salt"], created), str(line["schema"])


def _entry(line: Any, path: Path) -> Entry:
    if not isinstance(line, dict) or line.keys() != {one.name for one in fields(Entry)}:
        raise broken(path, "one of its lines is no entry")
    entry = Entry(**line)
    digests = (entry.file_hash, entry.pixels_hash or "0" * _DIGITS, entry.previous, entry.hash)
    words = (entry.revocation, entry.ground, entry.effective)
    if type(entry.seq) is not int or not all(map(_is_digest, digests)):
        raise broken(path, "one of its entries is malformed")
    if not all(isinstance(word, str) for word in words) or entry.ground not in tuple(Ground):
        raise broken(path, f"entry {entry.seq} names a ground that picdeed does not know")
    try:
        moment(entry.effective)
    except UsageError as error:
        raise broken(path, f"entry {entry.seq} holds no date") from error
    return entry


def _is_digest(text: Any) -> bool:
    return isinstance(text, str) and len(text) == _DIGITS and set(text) <= _HEX


def broken(path: Path, why: str) -> IntegrityError:
    """What a feed is answered with that cannot be trusted."""
    return IntegrityError(
        f"The feed {path} cannot be trusted: {why}. Nothing was changed.",
        hint="Get it again from its publisher.",
    )
