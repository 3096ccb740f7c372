"""What does a PLUS vocabulary key mean: data mining, model release, property release?

Keys of http://ns.useplus.org/ldf/vocab/ (PLUS LDF 2.0.1), as IPTC Photo Metadata 2023.1 uses
them. Where a key is not known, the stricter meaning is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, Release, clip

if TYPE_CHECKING:
    from collections.abc import Mapping

VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
MINING_KEYS = (
    "DMI-UNSPECIFIED",
    "DMI-ALLOWED",
    "DMI-PROHIBITED",
    "DMI-PROHIBITED-AIMLTRAINING",
    "DMI-PROHIBITED-GENAIMLTRAINING",
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING",
    "DMI-PROHIBITED-SEECONSTRAINT",
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR",
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR",
)
_MODEL: Mapping[str, Release] = {
    "MR-NON": Release.NONE,
    "MR-NAP": Release.NOT_APPLICABLE,
    "MR-UMR": Release.UNLIMITED,
    "MR-LMR": Release.LIMITED,
}
_PROPERTY: Mapping[str, Release] = {
    "PR-NON": Release.NONE,
    "PR-NAP": Release.NOT_APPLICABLE,
    "PR-UPR": Release.UNLIMITED,
    "PR-LPR": Release.LIMITED,
}


def mining_claim(
    value: str, source: ClaimSource, parser: str, note: str, limits: Limits = DEFAULT
) -> Claim:
    """One value of plus:DataMining: an opt-out, a hint that it is allowed, or "says nothing"."""
    key = value.strip().removeprefix(VOCABULARY)
    kind = ClaimKind.OPT_OUT
    if key == "DMI-ALLOWED":
        kind, note = ClaimKind.OPT_IN, "a hint, no licence"
    elif key == "DMI-UNSPECIFIED":
        kind, note = ClaimKind.RIGHTS_STATEMENT, "says nothing"
    elif key not in MINING_KEYS:
        note = "an unknown value of DataMining is read as a prohibition"
    parsed = key if key in MINING_KEYS else "unknown"
    return Claim(source, kind, clip(value, limits), parsed, ClaimStatus.PARSED, parser, note)


def release_claim(
    kind: ClaimKind, value: str, source: ClaimSource, parser: str, limits: Limits = DEFAULT
) -> Claim:
    """A MODEL_RELEASE or PROPERTY_RELEASE: a PLUS key, its URI, or one of `Release`'s words."""
    known = _MODEL if kind is ClaimKind.MODEL_RELEASE else _PROPERTY
    word = value.strip()
    key = word.removeprefix(VOCABULARY).removeprefix("https://ns.useplus.org/ldf/vocab/")
    found = known.get(key.upper())
    note = ""
    if found is None:
        plain = word.lower().replace("_", "-").replace(" ", "-")
        found = next((each for each in Release if each.value == plain), None)
    if found is None:
        found, note = Release.LIMITED, "an unknown value is read as limited"
    return Claim(source, kind, clip(value, limits), found, ClaimStatus.PARSED, parser, note)
