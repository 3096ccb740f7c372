"""What does a run cost, and does it fit? What `estimate.json` in a probed folder holds.

No torch in here: the stage that asked reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from picdeed.core.errors import RunFailed
from picdeed.diffusion.fit import Basis
from picdeed.diffusion.runfolder import read_json, write_json

FILE = "estimate.json"


@dataclass(frozen=True, slots=True)
class Seconds:
    """Of a whole run from here: until the base is loaded, what is not cached yet (class pictures
    that the base has to draw too), steps, evidence; and of the step alone, by the wall and on the
    CPU, the median of so many `timed`.
    """

    starting: float
    caching: float
    steps: float
    evidence: float
    a_step: float
    a_step_cpu: float
    timed: int

    @property
    def total(self) -> float:
        """Of the run."""
        return self.starting + self.caching + self.steps + self.evidence


@dataclass(frozen=True, slots=True)
class Bytes:
    """`needed` is what all processes that share a memory take at the fullest, a margin included;
    None where not even one picture fitted. It is made of one process's `fixed` part and `a_picture`
    for each computed at once; of evidence (`resting`, and `a_look` for each look at once); and of
    reading and drawing pictures (`beside`). `least` is what arithmetic says, whatever the batch.
    """

    there_is: int
    least: int
    needed: int | None
    fixed: int | None
    a_picture: int | None
    resting: int | None
    a_look: int | None
    beside: int | None


@dataclass(frozen=True, slots=True)
class Fitting:
    """The nearest setting that fits, what it takes, and what that number rests on; where that is
    arithmetic alone, whether the rest fits too is not known. `seconds` are the whole run's with it;
    None where steps were not timed so.
    """

    change: Mapping[str, Any]
    needed: int
    basis: Basis
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan costs on this machine. `at_once` pictures were computed at once when it was
    timed: those that fit; with the settings `timed_with`, where its own are too much. Without
    `seconds` nothing was timed: the weights alone are too large, or one picture is. `missing` bytes
    would make it fit where no setting does; None: nobody knows. `untried` is why a base in fewer
    bits was not reckoned with, where it might have been nearer.
    """

    steps: int
    batch: int
    processes: int
    at_once: int
    device: str
    pictures: int
    held_out: int
    to_encode: int
    to_embed: int
    to_draw: int
    seconds: Seconds | None
    memory: Bytes
    fits: bool
    nearest: Fitting | None
    missing: int | None
    timed_with: Mapping[str, Any] = field(default_factory=dict)
    untried: str | None = None

    def write(self, folder: Path) -> None:
        """Leave it in the folder for whoever asked."""
        write_json(folder / FILE, asdict(self))


def read_estimate(folder: Path) -> Estimate:
    """What a probe left. Raises RunFailed when it left nothing that can be read."""
    try:
        return TypeAdapter(Estimate).validate_python(read_json(folder / FILE))
    except ValidationError as error:
        raise RunFailed(
            "The probe left no estimate; nothing was trained.", hint="Ask once more."
        ) from error
