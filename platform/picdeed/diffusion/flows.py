"""How does rectified flow destroy a picture? On a straight line to the noise (arXiv:2209.03003).

At a share s of noise the network gets (1 - s) x + s e, is told s as a time, and says e - x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FLOW = "flow_prediction"
"""diffusers' word for what the network says."""


def shares(times: Tensor, steps: int) -> Tensor:
    """float32 shares of noise of whole times 0 to steps - 1: 1/steps to 1.

    Never quite 0: there the network would have to guess the noise from nothing.
    """
    return (times.clamp(max=steps - 1) + 1).float() / steps


def shifted(share: Tensor, shift: float) -> Tensor:
    """Shares moved towards noise, as larger pictures need it (arXiv 2403.03206, eq. 23); 1 is none.

    Nothing and everything stay where they are.
    """
    return share if shift == 1 else shift * share / (1 + (shift - 1) * share)


def on_the_line(clean: Tensor, e: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """What the network gets and what it has to say, of (n, c, h, w) at float32[n] shares."""
    across = share[:, None, None, None]
    return (1 - across) * clean + across * e, e - clean


def snr(share: Tensor) -> Tensor:
    """Signal over noise, both as variances."""
    return ((1 - share) / share) ** 2


def min_snr_weight(share: Tensor, gamma: float) -> Tensor:
    """Min-SNR weights (arXiv:2303.09556) of the square error of e - x.

    e - x = (x_s - x) / s, so an error of the picture counts by 1 / s^2 = (1 + sqrt(snr))^2.
    """
    ratio = snr(share)
    return ratio.clamp(max=gamma) / (1 + ratio.sqrt()) ** 2
