"""What do the licences, base models and profiles in `configs/` say, and did a line change?"""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.core.ids import hash_json
from picdeed.rights.expression import spelling
from picdeed.rights.terms import BaseTerms, Profile, Rule, Terms
from picdeed.rights.verdict import Certainty, Use, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SELLING = frozenset({Use.SELL_ADAPTER, Use.SELL_OUTPUTS})


@dataclass(frozen=True, slots=True, eq=False)  # one is itself: conclusions are cached by it
class Catalogue:
    """Everything the rules know. `policy_hash` covers the parsed content of every file.

    `aliases` maps exact spellings (names, URLs, tags) to ids of `licenses`.
    """

    licenses: Mapping[str, Terms]
    bases: Mapping[str, BaseTerms]
    profiles: Mapping[str, Profile]
    aliases: Mapping[str, str]
    policy_hash: str

    def base(self, name: str) -> BaseTerms:
        """A base model's terms; one that nobody described permits nothing."""
        unknown = Terms(name, f"{name}: no such file in configs/models", "", "", {})
        return self.bases.get(name, BaseTerms(name, "NOASSERTION", unknown))

    def profile(self, name: str) -> Profile:
        """Raises UsageError when there is no such profile."""
        if name not in self.profiles:
            raise UsageError(
                f"There is no profile {name!r}.", hint=f"Profiles: {', '.join(self.profiles)}."
            )
        return self.profiles[name]


def load_catalogue(folder: Path) -> Catalogue:
    """Read `folder`/licenses, /models and /policies (each *.toml).

    Raises PicdeedError naming the file and the line's subject when a file cannot be used: a rule
    that cannot be read must stop the work, for leaving it out could hide a prohibition.
    """
    files = {
        f"{part}/{path.name}": _read(path)
        for part in ("licenses", "models", "policies")
        for path in sorted((folder / part).glob("*.toml"))
    }
    spellings = files.get("licenses/aliases.toml", {})
    licenses: dict[str, Terms] = {}
    bases: dict[str, BaseTerms] = {}
    profiles: dict[str, Profile] = {}
    for name, content in files.items():
        with _naming(name):
            if name.startswith("models/"):
                _add(bases, str(content["name"]), _base(content))
            elif name.startswith("policies/"):
                _add(profiles, str(content["name"]), _profile(content))
            elif content is not spellings:
                for table in content["license"]:
                    _add(licenses, str(table["id"]), _terms(table))
    if not licenses or "conservative" not in profiles:
        raise PicdeedError(
            f"{folder} holds no licence rules.", hint="Name the folder that holds licenses/."
        )
    with _naming("licenses/aliases.toml"):
        aliases = _aliases(licenses, spellings)
    return Catalogue(
        MappingProxyType(licenses),
        MappingProxyType(bases),
        MappingProxyType(profiles),
        MappingProxyType(aliases),
        hash_json({name: _plain(content) for name, content in files.items()}),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PicdeedError(
            f"{path} cannot be read: {error}", hint="Nothing was decided. Mend the file."
        ) from error


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Turns what goes wrong with a file's content into an error that names the file."""
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise PicdeedError(
            f"configs/{name}: {what}.", hint="Nothing was decided. Mend the file."
        ) from error


def _add(table: dict[str, Any], key: str, value: Any) -> None:
    if key in table:
        raise ValueError(f"{key} is described twice")
    table[key] = value


def _terms(table: Mapping[str, Any]) -> Terms:
    duties = {str(kind): str(text) for kind, text in table.get("duties", {}).items()}
    non_commercial = _rules(table.get("non-commercial", {}), duties)
    if _SELLING & set(non_commercial):
        raise ValueError(f"{table['id']}: selling is never non-commercial")
    return Terms(
        id=str(table["id"]),
        name=str(table["name"]),
        family=str(table["family"]),
        url=str(table.get("url", "")),
        rules=MappingProxyType(_rules(table["rules"], duties)),
        non_commercial=MappingProxyType(non_commercial),
        duties=MappingProxyType(duties),
        release_as=tuple(str(name) for name in table.get("release-as", ())),
        release_clause=str(table.get("release-clause", "")),
    )


def _rules(table: Mapping[str, Any], duties: Mapping[str, str]) -> dict[Use, Rule]:
    return {Use(use): _rule(use, line, duties) for use, line in table.items()}


def _rule(use: str, line: Mapping[str, Any], duties: Mapping[str, str]) -> Rule:
    unknown = set(line) - {"effect", "certainty", "clause", "duties"}
    named = tuple(str(kind) for kind in line.get("duties", ()))
    if unknown or set(named) - set(duties):
        raise ValueError(f"{use}: unknown {sorted(unknown | (set(named) - set(duties)))}")
    # A duty that is not named is every duty: editing one word must not lose them all.
    effect = Verdict(line["effect"])
    if effect in (Verdict.DUTIES, Verdict.REVIEW):
        named = named or tuple(duties)
    return Rule(effect, Certainty(line["certainty"]), str(line["clause"]), named)


def _base(content: Mapping[str, Any]) -> BaseTerms:
    name, license_id = str(content["name"]), str(content["license"])
    described = {"family": "base", "name": name, **content, "id": license_id}
    return BaseTerms(name, license_id, _terms(described))


def _profile(content: Mapping[str, Any]) -> Profile:
    contested = content.get("contested")
    if contested not in (None, "REVIEW", "DENY"):
        raise ValueError("contested is REVIEW, DENY or left out")
    return Profile(
        str(content["name"]),
        str(content["title"]),
        content.get("reviewed-by-lawyer") is True,
        None if contested is None else Verdict(contested),
    )


def _aliases(licenses: Mapping[str, Terms], extra: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for terms in licenses.values():
        for text in (terms.id, terms.name, terms.url):
            if text:
                _alias(found, text, terms.id)
    for license_id, texts in extra.items():
        if license_id not in licenses:
            raise ValueError(f"{license_id} is in no licence file")
        for text in texts:
            _alias(found, str(text), license_id)
    return found


def _alias(found: dict[str, str], text: str, license_id: str) -> None:
    if found.setdefault(spelling(text), license_id) != license_id:
        raise ValueError(f"{text!r} would name {found[spelling(text)]} and {license_id}")


def _plain(value: Any) -> Any:
    """TOML dates as text: JSON has none."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) else str(value)
