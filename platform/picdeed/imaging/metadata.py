"""What does a picture file say about itself: XMP packets, EXIF and IPTC fields?

Nothing is interpreted here; packets are handed on as bytes. XMP is found where its specification
puts it (ISO 16684-3: PNG iTXt, JPEG APP1 with its extension, WebP, TIFF tag 700, AVIF) and where
tools put it all the same (PNG tEXt and zTXt, ImageMagick's raw profiles, EXIF tag 700). Under all
of this lies a net: an XMP mark in the bytes that none of the parsers gave is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from PIL import ExifTags, Image, IptcImagePlugin

from picdeed.core.errors import UnreadablePicture
from picdeed.core.limits import DEFAULT, Limits
from picdeed.imaging.containers import jpeg_segments, riff_chunks
from picdeed.imaging.decode import opened
from picdeed.imaging.pngtext import png_texts

_XMP_TAG = 700
_APP1 = 0xE1
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_MARKS = (b"<x:xmpmeta", b"<?xpacket begin", b"DataMining")
_ALL_MARKS = tuple(
    mark.decode().encode(code) for mark in _MARKS for code in ("utf-8", "utf-16-le", "utf-16-be")
)

_IPTC = {
    (2, 5): "title",
    (2, 40): "instructions",
    (2, 80): "byline",
    (2, 110): "credit",
    (2, 115): "source",
    (2, 116): "copyright",
    (2, 120): "caption",
}


@dataclass(frozen=True, slots=True)
class Embedded:
    """What was found. Texts are stripped; None and empty mean that the file says nothing.

    `xmp_net`: the bytes hold an XMP or DataMining mark that is in none of `packets`, or a packet
    beyond a limit. `unreadable` names the parts (xmp, exif, iptc) that are there and broken.
    """

    xmp: bytes | None = None
    more_xmp: tuple[bytes, ...] = ()
    xmp_net: bool = False
    exif_copyright: str | None = None
    exif_artist: str | None = None
    exif_description: str | None = None
    iptc: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: tuple[str, ...] = ()

    @property
    def packets(self) -> tuple[bytes, ...]:
        """Every XMP packet, the main one first."""
        return (*(() if self.xmp is None else (self.xmp,)), *self.more_xmp)


@dataclass(slots=True)
class _Found:
    """Collected on the way: packets, the stretches of bytes they stood in, and problems."""

    packets: list[bytes] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    netted: bool = False
    exif: bytes | None = None
    unreadable: set[str] = field(default_factory=set)

    def add(self, packet: bytes, limits: Limits, *pieces: bytes) -> None:
        packet = packet.strip(b"\0 \t\r\n")
        if len(packet) > limits.xmp_bytes:
            self.netted = True
        elif packet and packet not in self.packets:
            self.packets.append(packet)
            self.pieces += pieces or (packet,)


def embedded(data: bytes, media_type: str, limits: Limits = DEFAULT) -> Embedded:
    """The metadata of a file that `decode` accepted; broken metadata never raises."""
    found = _Found()
    if media_type == "image/png":
        _read_png(data, limits, found)
    elif media_type == "image/jpeg":
        _read_jpeg(data, limits, found)
    elif media_type == "image/webp":
        for kind, content in riff_chunks(data):
            if kind == b"XMP ":
                found.add(content, limits)
    exif, iptc = _read_with_pillow(data, limits, found)
    return Embedded(
        xmp=found.packets[0] if found.packets else None,
        more_xmp=tuple(found.packets[1:]),
        xmp_net=found.netted or _is_marked(data, found.pieces),
        exif_copyright=_text(exif.get(ExifTags.Base.Copyright)),
        exif_artist=_text(exif.get(ExifTags.Base.Artist)),
        exif_description=_text(exif.get(ExifTags.Base.ImageDescription)),
        iptc=MappingProxyType(iptc),
        unreadable=tuple(sorted(found.unreadable)),
    )


def _is_marked(data: bytes, pieces: list[bytes]) -> bool:
    """Whether a mark stands in the bytes outside the packets that were found."""
    if not any(mark in data for mark in _ALL_MARKS):
        return False
    for piece in pieces:
        data = data.replace(piece, b"")
    return any(mark in data for mark in _ALL_MARKS)


def _read_png(data: bytes, limits: Limits, found: _Found) -> None:
    for text in png_texts(data, limits.xmp_bytes):
        if text.content is None:
            found.netted = True  # compressed beyond the limit: it may hold anything
        elif text.is_xmp:
            found.add(text.content, limits, text.raw)
        elif text.is_exif:
            found.exif = text.content
        elif text.compressed and any(mark in text.content for mark in _ALL_MARKS):
            found.netted = True


def _read_jpeg(data: bytes, limits: Limits, found: _Found) -> None:
    more: dict[bytes, list[tuple[int, bytes]]] = {}
    sizes: dict[bytes, int] = {}
    for marker, content, _ in jpeg_segments(data):
        if marker != _APP1:
            continue
        if content.startswith(_JPEG_XMP):
            found.add(content.removeprefix(_JPEG_XMP), limits)
        elif content.startswith(_JPEG_MORE_XMP):
            part = content.removeprefix(_JPEG_MORE_XMP)
            guid, size = part[:32], int.from_bytes(part[32:36], "big")
            more.setdefault(guid, []).append((int.from_bytes(part[36:40], "big"), part[40:]))
            sizes[guid] = size
    for guid, parts in more.items():
        packet = b"".join(content for _, content in sorted(parts))
        if len(packet) == sizes[guid]:
            found.add(packet, limits, *(content for _, content in parts))
        else:
            found.netted = True
            found.unreadable.add("xmp")


def _read_with_pillow(
    data: bytes, limits: Limits, found: _Found
) -> tuple[Mapping[int, object], dict[str, str]]:
    exif: Mapping[int, object] = {}
    iptc: dict[str, str] = {}
    reading = "exif"
    try:
        with opened(data, limits) as image:
            exif = _exif(image, found.exif)
            for packet in (image.info.get("xmp"), exif.get(_XMP_TAG)):
                if isinstance(packet, tuple):
                    packet = bytes(packet)  # noqa: PLW2901 (EXIF gives bytes as numbers)
                if isinstance(packet, bytes):
                    found.add(packet, limits)
            reading = "iptc"
            iptc = _iptc(image)
    except UnreadablePicture:
        found.unreadable.add(reading)
    return exif, iptc


def _exif(image: Image.Image, late: bytes | None) -> Mapping[int, object]:
    """The header's EXIF, or for a PNG also one that stands behind its pixels."""
    exif = image.getexif()
    if not len(exif) and late:
        exif = Image.Exif()
        exif.load(late)
    return dict(exif)


def _iptc(image: Image.Image) -> dict[str, str]:
    if not isinstance(image, Image.Image) or image.format not in ("JPEG", "MPO", "TIFF"):
        return {}
    fields = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]
    texts: dict[str, str] = {}
    for key, name in _IPTC.items():
        value = fields.get(key)
        parts = value if isinstance(value, list) else [value]
        joined = "; ".join(text for part in parts if (text := _text(part)))
        if joined:
            texts[name] = joined
    return texts


def _text(value: object) -> str | None:
    """A field as stripped text: UTF-8 where it is, else Latin-1; parts that zeros divide joined."""
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
    elif isinstance(value, str):
        text = value
    else:
        return None
    parts = (part.strip() for part in text.split("\0"))
    return "; ".join(part for part in parts if part) or None
