"""How much may one outside thing ask of us? Every package that reads foreign bytes asks here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings for one outside thing. Bytes are bytes, pixels are width times height."""

    picture_bytes: int = 256 << 20
    picture_pixels: int = 178_000_000
    picture_side: int = 32_768
    # A picture that promises this many pixels per byte is a bomb: real photographs stay below
    # 100, flat drawings of 4 megapixels in PNG reach about 1,000.
    pixels_per_byte: int = 4_000
    xmp_bytes: int = 8 << 20
    metadata_bytes: int = 256 << 20
    license_chars: int = 2_000
    caption_chars: int = 10_000
    archive_members: int = 1_000_000
    archive_bytes: int = 64 << 30


DEFAULT = Limits()
