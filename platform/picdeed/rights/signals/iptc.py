"""What do IPTC's photo properties say about people shown, and about pictures that machines made?

IPTC Photo Metadata Standard 2023.1 (Iptc4xmpExt:PersonInImage, DigitalSourceType) and the IPTC
NewsCodes of digital source types.
"""

from __future__ import annotations

from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, clip

# Media that a trained model made or took part in. algorithmicMedia (no training) and
# algorithmicallyEnhanced (sharpened, denoised) say nothing about foreign models.
AI_SOURCES = (
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "trainedAlgorithmicData",
    "compositeSynthetic",
)
_BY_WORD = {name.lower(): name for name in AI_SOURCES}
_NOBODY = frozenset({"none", "no", "0", "false", "nobody"})


def synthetic_claim(value: str, source: ClaimSource, parser: str, note: str = "") -> Claim | None:
    """SYNTHETIC for a source type (URI or bare key) that names a trained model, else None."""
    word = value.strip().rstrip("/").rpartition("/")[2].rpartition(":")[2]
    name = _BY_WORD.get(word.lower())
    if name is None:
        return None
    raw = clip(value)
    return Claim(source, ClaimKind.SYNTHETIC, raw, name, ClaimStatus.PARSED, parser, note)


def persons_claim(
    value: str, source: ClaimSource, parser: str, limits: Limits = DEFAULT, *, word: bool = False
) -> Claim:
    """PERSONS: a name means that somebody can be identified; with `word` "none" means nobody."""
    nobody = word and value.strip().lower() in _NOBODY
    said = "none" if nobody else "identifiable"
    raw = clip(value, limits)
    return Claim(source, ClaimKind.PERSONS, raw, said, ClaimStatus.PARSED, parser)
