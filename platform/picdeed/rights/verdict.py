"""Which verdicts are there, about which uses, and how do several become one?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Verdict(StrEnum):
    """ALLOW > DUTIES > REVIEW > DENY. Combined by `meet`: the strictest wins, nobody votes."""

    ALLOW = "ALLOW"
    DUTIES = "DUTIES"
    REVIEW = "REVIEW"
    DENY = "DENY"

    @property
    def strictness(self) -> int:
        """0 for ALLOW up to 3 for DENY. Compare with this; the strings sort by alphabet."""
        return _STRICTNESS[self]

    @property
    def passes(self) -> bool:
        """Whether work may go on without a person deciding first."""
        return self in (Verdict.ALLOW, Verdict.DUTIES)


_STRICTNESS = {verdict: rank for rank, verdict in enumerate(Verdict)}


def meet(*verdicts: Verdict) -> Verdict:
    """The strictest. The empty meet is ALLOW, the identity: whoever has nothing must say DENY."""
    return max(verdicts, key=lambda verdict: verdict.strictness, default=Verdict.ALLOW)


class Use(StrEnum):
    """What somebody wants to do with the pictures, or with what was learned from them."""

    TRAIN = "train"
    SHARE_ADAPTER = "share-adapter"
    SELL_ADAPTER = "sell-adapter"
    PUBLISH_OUTPUTS = "publish-outputs"
    SELL_OUTPUTS = "sell-outputs"


class Certainty(StrEnum):
    """How sure a rule is.

    SETTLED: the licence's text answers. CONTESTED: the text is clear, whether it reaches weights
    or outputs is not. UNSTATED: nobody checked, or the text is silent.
    """

    SETTLED = "SETTLED"
    CONTESTED = "CONTESTED"
    UNSTATED = "UNSTATED"


class Subject(StrEnum):
    """What a reason is about."""

    PICTURES = "pictures"
    BASE = "base"
    COMBINATION = "combination"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that fired. `pictures` counts those it fired for (0 for a base).

    `rule` is "rule" when a licence's own line speaks, "grant" when a contract does, else the
    conflict rule (R0 to R11), or "synthetic", "not-checked", "revoked", "empty", "share-alike".
    """

    subject: Subject
    license: str
    use: Use
    effect: Verdict
    certainty: Certainty
    clause: str
    pictures: int
    rule: str

    def as_json(self) -> dict[str, Any]:
        """Plain values, the keys of the command line's contract plus `rule`."""
        return {
            "subject": self.subject.value,
            "license": self.license,
            "use": self.use.value,
            "effect": self.effect.value,
            "certainty": self.certainty.value,
            "clause": self.clause,
            "pictures": self.pictures,
            "rule": self.rule,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Reason:
        """What `as_json` gave. Raises KeyError or ValueError on anything else."""
        return cls(
            Subject(row["subject"]),
            str(row["license"]),
            Use(row["use"]),
            Verdict(row["effect"]),
            Certainty(row["certainty"]),
            str(row["clause"]),
            int(row["pictures"]),
            str(row["rule"]),
        )


def by_strictness(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons in one fixed order, the strictest first."""
    order = {use: rank for rank, use in enumerate(Use)}
    return tuple(
        sorted(
            reasons,
            key=lambda r: (
                -r.effect.strictness,
                r.subject,
                order[r.use],
                r.rule,
                r.license,
                r.clause,
            ),
        )
    )


def parse_uses(text: str) -> tuple[Use, ...]:
    """`train,sell-adapter` in Use's own order, once each. Raises UsageError on any other word."""
    words = {word.strip() for word in text.split(",") if word.strip()}
    known = {use.value for use in Use}
    if not words or words - known:
        wrong = ", ".join(sorted(words - known)) or "nothing"
        raise UsageError(
            f"{wrong!r} is no use that picdeed knows.", hint=f"Uses are: {', '.join(Use)}."
        )
    return in_order(Use(word) for word in words)


def in_order(uses: Iterable[Use]) -> tuple[Use, ...]:
    """The uses once each, in the order in which Use lists them."""
    wanted = set(uses)
    return tuple(use for use in Use if use in wanted)
