"""What does the manifest store in a file say, as JSON, and does it hold? For reading opt-outs.

`verify` asks whether a credential can be trusted; here everything that it says is wanted, also
what its ingredients say and what a broken one still says. No network, no pixels.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picdeed.core.limits import DEFAULT, Limits
from picdeed.credentials import judge
from picdeed.credentials.native import c2pa, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# One of these stands in every file with a store, whatever the container: the box types of JUMBF
# and the labels inside; `provenance` names a store that lies elsewhere (dcterms:provenance).
_MARKS = (b"jumb", b"c2pa", b"provenance")
# What betrays a store that was damaged so far that the library finds none. Long enough not to
# come up by chance among compressed pixels.
_TRACE = re.compile(rb"jumb.{4}jumd|jumdc2|(?:c2pa|cawg)\.[a-z]+[.\-][a-z]", re.DOTALL)
_UUID_END = b"\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
_STORE = b"jumdc2pa" + _UUID_END
_BEFORE_STORE = 12  # the length and type of the box around it, and this box's own length
_REMOTE = "Remote"  # the library gives this refusal no class of its own
_UNKNOWN_SIGNER = frozenset({"signingCredential.untrusted"})


@dataclass(frozen=True, slots=True)
class Store:
    """`report` is the library's JSON, None when nothing could be read.

    `present`: the file carries or names credentials. `problems`: what keeps them from holding, C2PA
    failure codes mostly; that nobody knows the signer is not among them.
    """

    report: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()
    present: bool = False


ABSENT = Store()


def is_marked(data: bytes) -> bool:
    """Whether the bytes could hold credentials; false for nearly every file, and cheap."""
    return any(mark in data for mark in _MARKS)


def read_store(data: bytes, media_type: str | None, limits: Limits = DEFAULT) -> Store:
    """Everything that a file's credentials say; raises nothing about the file itself.

    `media_type` is what its first bytes say. Raises MissingPart without the c2pa library.
    """
    if not is_marked(data):
        return ABSENT
    if len(data) > limits.picture_bytes:
        return Store(None, (f"{len(data)} bytes are too many to read credentials in",), True)
    module = c2pa()
    try:
        return _read(media_type, data, None)
    except module.C2paError as error:
        return _without_reading(data, str(error))


def _read(media_type: str | None, data: bytes, store: bytes | None) -> Store:
    with (
        opened({}) as (module, here),
        module.Reader(media_type, io.BytesIO(data), store, context=here) as reader,
    ):
        try:
            report = json.loads(reader.json())
        except (ValueError, RecursionError):
            return Store(None, ("its report is no JSON",), True)
        if not isinstance(report, dict):
            return Store(None, ("its report is no object",), True)
        intact = judge.is_intact(judge.reading(reader))
    failed = dict.fromkeys(_failures(report))
    problems = [code for code in failed if code not in _UNKNOWN_SIGNER]
    if not intact and not problems:
        problems.append("neither signature nor content was confirmed")
    return Store(report, tuple(problems), True)


def _failures(report: Mapping[str, Any]) -> Iterator[str]:
    """Failure codes of the active manifest and of everything that it was made from."""
    yield from _codes(report.get("validation_results"))
    manifests = report.get("manifests")
    for manifest in manifests.values() if isinstance(manifests, dict) else ():
        for ingredient in (manifest.get("ingredients") or ()) if isinstance(manifest, dict) else ():
            if isinstance(ingredient, dict):
                yield from _codes(ingredient.get("validation_results"))


def _codes(results: Any) -> Iterator[str]:
    if not isinstance(results, dict):
        return
    parts = [results.get("activeManifest")]
    parts += [
        delta.get("validationDeltas")
        for delta in results.get("ingredientDeltas") or ()
        if isinstance(delta, dict)
    ]
    for part in parts:
        if isinstance(part, dict):
            for failure in part.get("failure") or ():
                if isinstance(failure, dict):
                    yield str(failure.get("code"))


def _without_reading(data: bytes, said: str) -> Store:
    """The library found no credentials, or stumbled over the file."""
    # A damaged container may hold a store that is whole: what it forbids counts.
    at = data.find(_STORE) - _BEFORE_STORE
    if at > 0:
        size = int.from_bytes(data[at : at + 4], "big")
        try:
            found = _read("application/octet-stream", data, data[at : at + size])
        except c2pa().C2paError:
            found = ABSENT
        if found.present:
            return Store(found.report, (*found.problems, said), True)
    if said.startswith(_REMOTE):
        return Store(None, ("its credentials lie elsewhere and were not fetched",), True)
    if _TRACE.search(data):
        return Store(None, (said,), True)
    return ABSENT
