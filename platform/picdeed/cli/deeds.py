"""How is a base's deed read aloud? Lines for a person, whatever shape a stranger's deed has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SHOWN = 12  # entries of a long list
_LONGEST = 300  # characters of one value
_LABEL = 20
_TOLD = frozenset(
    {"schema", "name", "sha256", "license", "snapshot", "pictures", "packages", "steps", "samples",
     "seed", "recipe", "concepts", "files", "versions", "first_losses"}
)  # fmt: skip


def deed_lines(deed: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, text) of everything that a deed tells, the chain of title first."""
    return [(_cut(label, _LABEL), _cut(text)) for label, text in _lines(deed)]


def _lines(deed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    frozen = deed.get("snapshot")
    if isinstance(frozen, Mapping):
        yield from _snapshot(frozen)
    elif "pictures" in deed:
        yield "learned from", _pictures(deed["pictures"])
    packages = deed.get("packages")
    for at, one in enumerate(packages if isinstance(packages, list) else ()):
        yield ("" if at else "packages"), _package(one)
    for key in ("steps", "samples", "recipe", "seed", "versions", "concepts"):
        if key in deed:
            yield key, _several(deed[key])
    if isinstance(deed.get("files"), Mapping):
        yield "files", f"{len(deed['files'])}, each by its SHA-256"
    if isinstance(deed.get("first_losses"), Mapping):
        yield (
            "first losses",
            ", ".join(
                f"{part} {len(losses)}"
                for part, losses in deed["first_losses"].items()
                if isinstance(losses, Mapping)
            ),
        )
    for key in sorted(set(deed) - _TOLD):
        yield str(key), _several(deed[key])


def _snapshot(frozen: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    members = _number(frozen.get("members", "?"))
    yield "learned from", f"{members} pictures, snapshot {frozen.get('id', '?')}"
    yield "Merkle root", str(frozen.get("root", "?"))
    uses = frozen.get("uses")
    named = ", ".join(map(str, uses)) if isinstance(uses, list) else "unnamed uses"
    yield "verdict", f"{frozen.get('verdict', '?')} for {named}"
    duties = frozen.get("duties")
    for at, duty in enumerate(duties if isinstance(duties, list) else ()):
        said = duty if isinstance(duty, Mapping) else {"text": duty}
        about = ", ".join(
            str(part)
            for part in (said.get("license"), _of(said.get("pictures")))
            if part is not None
        )
        yield ("" if at else "duties"), f"{said.get('kind', 'duty')} ({about}): {said.get('text')}"


def _of(pictures: Any) -> str | None:
    return None if pictures is None else f"{_number(pictures)} pictures"


def _pictures(value: Any) -> str:
    count = value.get("count") if isinstance(value, Mapping) else value
    return f"{_number(count)} pictures"


def _package(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    parts = (value.get("name"), value.get("version"), value.get("license"), value.get("author"))
    return "  ".join(str(part) for part in parts if part)


def _several(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_number(count)}" for name, count in value.items())
    if not isinstance(value, list):
        return str(value)
    first = ", ".join(map(str, value[:_SHOWN]))
    return f"{len(value)}: {first}{' ...' if len(value) > _SHOWN else ''}"


def _number(value: Any) -> str:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if is_count else str(value)


def _cut(text: str, longest: int = _LONGEST) -> str:
    # A stranger's deed may hold anything; what a terminal would obey is spelled out.
    flat = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))
    return flat if len(flat) <= longest else f"{flat[:longest]} ..."
