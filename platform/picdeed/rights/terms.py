"""What does one licence, one base model or one profile say? The shapes that TOML is read into."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from picdeed.rights.verdict import Certainty, Use, Verdict, meet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule that holds only while a dated fact about the licensee stays `below` a number."""

    fact: str
    below: float


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a licence file. `duties` are keys of the licence's duties.

    With a `condition` the line holds only while it is met; `otherwise` says what else.
    """

    effect: Verdict
    certainty: Certainty
    clause: str
    duties: tuple[str, ...] = ()
    condition: Condition | None = None
    otherwise: Rule | None = None

    def under(self, facts: Mapping[str, float | str]) -> Rule:
        """The line that holds under these facts; an unknown fact asks a person (REVIEW)."""
        if self.condition is None:
            return self
        try:
            value = float(facts[self.condition.fact])
        except (KeyError, ValueError):
            value = math.nan
        if not math.isfinite(value):  # "inf" and "nan" parse, but nobody earns them
            said = (
                f"{self.clause}; depends on {self.condition.fact}, which nobody has recorded: "
                f"picdeed facts add {self.condition.fact}"
            )
            return Rule(meet(self.effect, Verdict.REVIEW), Certainty.UNSTATED, said, self.duties)
        return self if value < self.condition.below else self.otherwise or MISSING


MISSING = Rule(Verdict.DENY, Certainty.UNSTATED, "no rule for this use: not permitted")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a text lets you do. `release_as`: licences under which an adapter may be passed on.

    An empty `release_as` binds the adapter to no licence. `non_commercial` holds the rules that
    differ when nobody earns from the use. `duties` maps a duty's kind to what it asks.
    `text_sha256` pins the text that the rules were read from, which came from `text_source` and
    lies in `text_file` where its own terms let it be shipped.
    """

    id: str
    name: str
    family: str
    url: str
    rules: Mapping[Use, Rule]
    non_commercial: Mapping[Use, Rule] = field(default_factory=lambda: MappingProxyType({}))
    duties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    release_as: tuple[str, ...] = ()
    release_clause: str = ""
    text_sha256: str = ""
    text_source: str = ""
    text_file: Path | None = None

    def rule(self, use: Use, *, commercial: bool) -> Rule:
        """The rule for one use; a missing one is DENY."""
        fallback = self.rules.get(use, MISSING)
        return fallback if commercial else self.non_commercial.get(use, fallback)


@dataclass(frozen=True, slots=True)
class BaseTerms:
    """A base model's name, the licence of its weights, and what that means for each use.

    `tags` are short names that cards give this licence and that say no version: alone they name
    nothing, beside the text they contradict nothing.
    """

    name: str
    license: str
    terms: Terms
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """How unsure cells are read. `contested` replaces a CONTESTED effect; None keeps it.

    `not_checked`: what a source on the network means that nobody asked. `no_license`: what
    training in-house means without a licence where the source was asked and reserves nothing.
    """

    name: str
    title: str
    reviewed_by_lawyer: bool
    contested: Verdict | None = None
    not_checked: Verdict | None = None
    no_license: Verdict | None = None

    def effect(self, rule: Rule) -> Verdict:
        """What a rule yields.

        Nothing but a SETTLED rule yields ALLOW. A contested DUTIES stays: whoever discharges
        the duties is right under either reading. A contested ALLOW has no such refuge, and of
        an UNSTATED permission nobody knows: both ask a person.
        """
        if rule.certainty is Certainty.SETTLED:
            return rule.effect
        if rule.certainty is Certainty.UNSTATED:
            return meet(rule.effect, Verdict.REVIEW)
        if self.contested is not None:
            return self.contested
        return Verdict.REVIEW if rule.effect is Verdict.ALLOW else rule.effect
