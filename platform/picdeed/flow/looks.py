"""How is a picture's fingerprint written into a line of a feed, and read out of a foreign one?

`codes` is what `CodeRow` holds. `corners` are 40 bytes each in hex: 32 of the corner's code, then
x, y and size (in pixels of the corners' frame, times 64) and angle (65,536 to the turn), each
an unsigned 16-bit number, all little-endian. A fingerprint of another algorithm is kept as it was
written and never compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.colours import WHOLE, Shares
from picdeed.imaging.local import ALGORITHM as CORNERS_ALGORITHM
from picdeed.imaging.local import CORNERS, Local
from picdeed.registry.codes import CodeRow
from picdeed.registry.looks import TombstoneLook
from picdeed.registry.pictures import Picture

_CODES = ("algorithm", "turned", "trimmed", "trim", "quality", "colours")
_CORNERS = ("algorithm", "places")
_HEX = frozenset("0123456789abcdef")
_TURNED, _TRIM, _COLOURS = 512, 16, 384  # hex digits
_CORNER = 80
_NAME = 40  # letters of an algorithm's name
_BEST = 100  # quality
_MOST = _CORNER * CORNERS  # hex digits of any one value, under whatever algorithm
_STEPS = 65_535
_PLACE, _ANGLE = 64.0, 65_536 / (2 * np.pi)

_RECORD = np.dtype([("code", "<u8", 4), ("place", "<u2", 4)])


def look_of(feed: str, seq: int, code: CodeRow, picture: Picture, corners: Local) -> TombstoneLook:
    """The fingerprint of one of our pictures, as an entry of our feed carries it."""
    box, size = code.trim_box, (picture.width, picture.height) * 2
    trim = None
    if box is not None:
        trim = "".join(
            f"{round(_STEPS * edge / side):04x}" for edge, side in zip(box, size, strict=True)
        )
    has = len(corners.codes) > 0
    return TombstoneLook(
        feed=feed,
        seq=seq,
        algorithm=code.algorithm,
        turned=code.turned,
        turned_trimmed=code.turned_trimmed,
        trim=trim,
        quality=code.quality,
        colours=code.colours,
        corners_algorithm=CORNERS_ALGORITHM if has else None,
        corners=_packed(corners) if has else None,
    )


def as_json(look: TombstoneLook) -> dict[str, Any]:
    """The fingerprint as a feed holds it; `read_look` reads it back."""
    corners = None
    if look.corners_algorithm is not None:
        corners = {"algorithm": look.corners_algorithm, "places": look.corners}
    return {
        "codes": {
            "algorithm": look.algorithm,
            "turned": look.turned,
            "trimmed": look.turned_trimmed,
            "trim": look.trim,
            "quality": look.quality,
            "colours": look.colours,
        },
        "corners": corners,
    }


def read_look(feed: str, seq: int, value: Any) -> TombstoneLook:
    """A foreign fingerprint, held against what its algorithms promise. Raises ValueError."""
    outer = _object(value, ("codes", "corners"))
    codes = _object(outer["codes"], _CODES)
    algorithm = _name(codes["algorithm"])
    known = algorithm == ALGORITHM
    trimmed, trim = codes["trimmed"], codes["trim"]
    if (trimmed is None) != (trim is None):
        raise ValueError("a trimmed code without its box")
    quality = codes["quality"]
    if type(quality) is not int or not 0 <= quality <= _BEST:
        raise ValueError("a quality that is no number from 0 to 100")
    row = TombstoneLook(
        feed=feed,
        seq=seq,
        algorithm=algorithm,
        turned=_digits(codes["turned"], _TURNED if known else None),
        turned_trimmed=None if trimmed is None else _digits(trimmed, _TURNED if known else None),
        trim=None if trim is None else _digits(trim, _TRIM),
        quality=quality,
        colours=_digits(codes["colours"], _COLOURS if known else None),
    )
    if outer["corners"] is not None:
        corners = _object(outer["corners"], _CORNERS)
        row.corners_algorithm = _name(corners["algorithm"])
        row.corners = _digits(corners["places"])
        if row.corners_algorithm == CORNERS_ALGORITHM and len(row.corners) % _CORNER:
            raise ValueError("corners of which one is cut")
    return row


def code_row(look: TombstoneLook) -> CodeRow:
    """The fingerprint's codes as the search takes them; never written anywhere."""
    return CodeRow(
        picture_id=f"{look.feed}:{look.seq}",
        algorithm=look.algorithm,
        turned=look.turned,
        turned_trimmed=look.turned_trimmed,
        quality=look.quality,
        colours=look.colours,
        created_at="",
    )


def corners_in(look: TombstoneLook) -> Local:
    """Its corners; none where it has none that can be compared."""
    known = look.corners_algorithm == CORNERS_ALGORITHM
    return _unpacked((look.corners or "") if known else "")


def grid(row: CodeRow | TombstoneLook) -> NDArray[np.uint8]:
    """uint8[192] of the stored colours."""
    return np.frombuffer(bytes.fromhex(row.colours), dtype=np.uint8)


def inside(trim: str | None) -> Shares:
    """What lies inside a fingerprint's border, as shares of the frame."""
    if trim is None:
        return WHOLE
    left, top, right, bottom = (int(trim[at : at + 4], 16) / _STEPS for at in range(0, _TRIM, 4))
    return (left, top, right, bottom) if left < right and top < bottom else WHOLE


def _packed(corners: Local) -> str:
    rows = np.zeros(len(corners.codes), dtype=_RECORD)
    rows["code"] = corners.codes
    rows["place"][:, :3] = np.rint(corners.geometry[:, :3] * _PLACE).clip(0, _STEPS)
    rows["place"][:, 3] = np.rint(corners.geometry[:, 3] * _ANGLE).astype(np.int64) % (_STEPS + 1)
    return rows.tobytes().hex()


def _unpacked(text: str) -> Local:
    rows = np.frombuffer(bytes.fromhex(text), dtype=_RECORD)
    places = rows["place"].astype(np.float32)
    geometry = np.concatenate((places[:, :3] / _PLACE, places[:, 3:] / _ANGLE), axis=1)
    geometry[:, 2] = np.maximum(geometry[:, 2], 1.0)  # sizes are divided by each other
    return Local(np.ascontiguousarray(rows["code"].astype(np.uint64)), geometry.astype(np.float32))


def _object(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise ValueError(f"no object with {', '.join(names)}")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _NAME or not value.isprintable():
        raise ValueError("an algorithm without a name")
    return value


def _digits(value: Any, exactly: int | None = None) -> str:
    if not isinstance(value, str) or len(value) > _MOST or len(value) % 2 or set(value) - _HEX:
        raise ValueError("what should be hex digits is none, or too long")
    if exactly is not None and len(value) != exactly:
        raise ValueError(f"{len(value)} hex digits where {exactly} belong")
    return value
