"""Which samplers are there? Names only; no torch in here."""

from __future__ import annotations

from enum import StrEnum

from picdeed.core.errors import UsageError


class Sampler(StrEnum):
    """The samplers by name; all read the base's own noise schedule.

    All but one follow the same path out of the same noise and meet as steps grow; `euler-a` throws
    new noise in at every step and ends elsewhere. Heun stays out: its scheduler does not know zero
    terminal SNR, and over so long a first step its mean of two slopes goes astray.
    """

    DDIM = "ddim"
    DPM = "dpm++"
    UNIPC = "unipc"
    EULER = "euler"
    EULER_A = "euler-a"


LABELS = {
    Sampler.DDIM: "DDIM",
    Sampler.DPM: "DPM++ 2M",
    Sampler.UNIPC: "UniPC",
    Sampler.EULER: "Euler",
    Sampler.EULER_A: "Euler ancestral",
}
"""What people call them."""


def parse_sampler(name: str) -> Sampler:
    """A sampler by name; raises UsageError on another one."""
    try:
        return Sampler(name.lower())
    except ValueError as error:
        raise UsageError(
            f"There is no sampler {name!r}.", hint=f"Choose from {', '.join(Sampler)}."
        ) from error
