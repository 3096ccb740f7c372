"""What do the licences, base models and profiles in `configs/` say, and did a line change?"""

from __future__ import annotations

import math
import re
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.core.ids import hash_json, sha256
from picdeed.rights.expression import NOASSERTION, spelling
from picdeed.rights.terms import BaseTerms, Condition, Profile, Rule, Terms
from picdeed.rights.verdict import Certainty, Use, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

_SELLING = frozenset({Use.SELL_ADAPTER, Use.SELL_OUTPUTS})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*\.txt")
# A misspelt key is no comment: what it was to say, a prohibition perhaps, would be lost.
_TERMS_KEYS = frozenset(
    {"id", "name", "family", "url", "rules", "non-commercial", "duties"}
    | {"release-as", "release-clause"}
    | {"text-sha256", "text-source", "text-file", "text-shipped", "text-reason"}
)
_BASE_KEYS = (_TERMS_KEYS - {"id", "family"}) | {"names", "tags", "title", "license"}
_PROFILE_KEYS = frozenset(
    {"name", "title", "reviewed-by-lawyer", "contested", "not-checked", "no-license"}
)


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

    def under(self, license_id: str) -> BaseTerms:
        """The terms of any base model whose weights stand under this licence, whatever its name.

        Where several files describe a licence, the one that is named as the licence is speaks for
        all; the others word the duties of single models. A licence that no file in configs/models
        describes permits nothing, though pictures may stand under it.
        """
        found = [base for base in self.bases.values() if base.license == license_id]
        for base in sorted(found, key=lambda base: spelling(base.name) != spelling(license_id)):
            return BaseTerms(license_id, license_id, base.terms)
        known = self.licenses.get(license_id)
        said = f"no file in configs/models says what {license_id} means for weights: not permitted"
        if license_id == NOASSERTION:
            said = "no licence is on record for these weights: not permitted"
        silent = Rule(Verdict.DENY, Certainty.UNSTATED, said)
        terms = Terms(
            id=license_id,
            name=known.name if known else license_id,
            family="base",
            url=known.url if known else "",
            rules=MappingProxyType(dict.fromkeys(Use, silent)),
        )
        return BaseTerms(license_id, license_id, terms)

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
                for base in _bases(content, licenses):
                    _add(bases, base.name, base)
            elif name.startswith("policies/"):
                _add(profiles, str(content["name"]), _profile(content))
            elif content is not spellings:
                for table in content["license"]:
                    _add(licenses, str(table["id"]), _terms(table, folder / "licenses/texts"))
    if not licenses or "conservative" not in profiles:
        raise PicdeedError(
            f"{folder} holds no licence rules.", hint="Name the folder that holds licenses/."
        )
    with _naming("models"):
        _one_voice(bases)
    with _naming("licenses/aliases.toml"):
        aliases = _aliases(licenses, {base.license for base in bases.values()}, spellings)
    return Catalogue(
        MappingProxyType(licenses),
        MappingProxyType(bases),
        MappingProxyType(profiles),
        MappingProxyType(aliases),
        hash_json({name: _plain(content) for name, content in files.items()}),
    )


def plain_text(text: str) -> str:
    """A licence text as it is pinned and shipped: LF, no trailing blanks, one final newline."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip(" \t") for line in lines).strip("\n") + "\n"


def text_digest(text: str) -> str:
    """SHA-256 of `plain_text(text)` in UTF-8: what `text-sha256` in a licence file holds.

    Copies of one text differ in line ends and trailing blanks; words that moved still tell.
    """
    return sha256(plain_text(text).encode("utf-8"))


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


def _terms(table: Mapping[str, Any], texts: Path | None) -> Terms:
    """`texts` is the folder of shipped texts; None where a file may not point into it."""
    _only(table, _TERMS_KEYS)
    duties = {str(kind): str(text) for kind, text in table.get("duties", {}).items()}
    non_commercial = _rules(table.get("non-commercial", {}), duties)
    if _SELLING & set(non_commercial):
        raise ValueError(f"{table['id']}: selling is never non-commercial")
    digest = str(table.get("text-sha256", ""))
    if digest and not _SHA256.fullmatch(digest):
        raise ValueError(f"{table['id']}: text-sha256 is 64 hex digits")
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
        text_sha256=digest,
        text_source=str(table.get("text-source", "")),
        text_file=_text_file(table, texts),
    )


def _text_file(table: Mapping[str, Any], texts: Path | None) -> Path | None:
    """Where the pinned text lies; None where it is not shipped, which takes a reason."""
    if table.get("text-shipped", True) is not True:
        if not table.get("text-reason"):
            raise ValueError(f"{table['id']}: text-shipped = false needs a text-reason")
        return None
    name = str(table.get("text-file", f"{table['id']}.txt"))
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(f"{table['id']}: text-file is the name of a .txt file in licenses/texts")
    if texts is None or not table.get("text-sha256"):
        return None
    path = (texts / name).resolve()
    return path if path.is_file() else None


def _only(table: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"{table.get('id', table.get('name', ''))}: unknown {unknown}")


def _rules(table: Mapping[str, Any], duties: Mapping[str, str]) -> dict[Use, Rule]:
    return {Use(use): _rule(use, line, duties) for use, line in table.items()}


def _rule(use: str, line: Mapping[str, Any], duties: Mapping[str, str]) -> Rule:
    unknown = set(line) - {"effect", "certainty", "clause", "duties", "when", "otherwise"}
    named = tuple(str(kind) for kind in line.get("duties", ()))
    if unknown or set(named) - set(duties):
        raise ValueError(f"{use}: unknown {sorted(unknown | (set(named) - set(duties)))}")
    # A duty that is not named is every duty: editing one word must not lose them all.
    effect = Verdict(line["effect"])
    if effect in (Verdict.DUTIES, Verdict.REVIEW):
        named = named or tuple(duties)
    condition = otherwise = None
    if "when" in line or "otherwise" in line:
        if "when" in line["otherwise"]:
            raise ValueError(f"{use}: one condition a line")
        condition = _condition(use, line["when"])
        otherwise = _rule(use, line["otherwise"], duties)
    clause = str(line["clause"])
    return Rule(effect, Certainty(line["certainty"]), clause, named, condition, otherwise)


def _condition(use: str, table: Mapping[str, Any]) -> Condition:
    below = table["below"]
    number = isinstance(below, (int, float)) and not isinstance(below, bool)
    if set(table) != {"fact", "below"} or not number or not math.isfinite(below):
        raise ValueError(f"{use}: when is {{ fact = NAME, below = NUMBER }}")
    return Condition(str(table["fact"]), float(below))


def _bases(content: Mapping[str, Any], licenses: Mapping[str, Terms]) -> list[BaseTerms]:
    """One base licence under each name that people write for its models.

    A base that names a licence of the catalogue and pins no text of its own has that text.
    """
    _only(content, _BASE_KEYS)
    names = [str(name) for name in content.get("names", [content.get("name")])]
    if not names or "None" in names or ("names" in content and "name" in content):
        raise ValueError("either name or names, and at least one")
    license_id = str(content["license"])
    table = {key: content[key] for key in content if key in _TERMS_KEYS - {"id", "name", "family"}}
    said = {"id": license_id, "family": "base", "name": content.get("title", names[0])}
    terms = _terms(table | said, None)
    shared = licenses.get(license_id)
    if shared and not terms.text_sha256:
        terms = replace(
            terms,
            text_sha256=shared.text_sha256,
            text_source=shared.text_source,
            text_file=shared.text_file,
        )
    tags = tuple(str(tag) for tag in content.get("tags", ()))
    return [BaseTerms(name, license_id, terms, tags) for name in names]


def _one_voice(bases: Mapping[str, BaseTerms]) -> None:
    """Of several files about one licence, one must be named as the licence is: it speaks for all
    bases under it (`Catalogue.under`).
    """
    files: dict[str, set[int]] = {}
    for base in bases.values():  # the names of one file share its terms
        files.setdefault(base.license, set()).add(id(base.terms))
    named = {b.license for b in bases.values() if spelling(b.name) == spelling(b.license)}
    for license_id, told in files.items():
        if len(told) > 1 and license_id not in named:
            raise ValueError(f"several files describe {license_id}; one must have that as its name")


def _profile(content: Mapping[str, Any]) -> Profile:
    _only(content, _PROFILE_KEYS)
    return Profile(
        str(content["name"]),
        str(content["title"]),
        content.get("reviewed-by-lawyer") is True,
        _cautious(content, "contested"),
        _cautious(content, "not-checked"),
        _cautious(content, "no-license"),
    )


def _cautious(content: Mapping[str, Any], key: str) -> Verdict | None:
    """A profile may ask a person or refuse; it never allows."""
    word = content.get(key)
    if word not in (None, "REVIEW", "DENY"):
        raise ValueError(f"{key} is REVIEW, DENY or left out")
    return None if word is None else Verdict(word)


def _aliases(
    licenses: Mapping[str, Terms], models: Collection[str], extra: Mapping[str, Any]
) -> dict[str, str]:
    """`models`: licences of base models; a picture may name one, though no rule is there for it."""
    found: dict[str, str] = {}
    for terms in licenses.values():
        for text in (terms.id, terms.name, terms.url):
            if text:
                _alias(found, text, terms.id)
    for license_id, texts in extra.items():
        if license_id not in licenses and license_id not in models:
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
