"""Why may something be revoked? The closed list, and what each ground leaves standing."""

from __future__ import annotations

from enum import StrEnum


class Ground(StrEnum):
    """Section 4.5 of the rights model names what each of them does to each descendant."""

    CONTRACT_ENDED = "contract-ended"
    OPT_OUT = "opt-out"
    TAKEDOWN = "takedown"
    PRIVACY = "privacy"
    ERROR = "error"


# What another registry should know of: the end of a contract concerns its two parties only.
TOLD = (Ground.OPT_OUT, Ground.TAKEDOWN, Ground.PRIVACY, Ground.ERROR)
