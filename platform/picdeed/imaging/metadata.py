"""What does a picture file say about itself: XMP packets, EXIF and IPTC fields?

Nothing is interpreted here; packets are handed on as bytes. XMP is found where its specification
puts it (ISO 16684-3: PNG iTXt, JPEG APP1 with its extension, WebP, TIFF tag 700, GIF, JPEG 2000,
AVIF) and where tools put it all the same (PNG tEXt and zTXt, ImageMagick's raw profiles, EXIF tag
700). Under all of this lies a net (`carving`): whole packets anywhere in the bytes are cut out,
and a mark that none of this explains is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from PIL import ExifTags, Image, IptcImagePlugin

from picdeed.core.errors import UnreadablePicture
from picdeed.core.limits import DEFAULT, Limits
from picdeed.imaging import carving
from picdeed.imaging.boxes import xmp_boxes
from picdeed.imaging.containers import gif_extensions, jpeg_segments, riff_chunks
from picdeed.imaging.decode import opened
from picdeed.imaging.pngtext import png_texts

_XMP_TAG = 700
_APP1 = 0xE1
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_APP_COM = 0xFE
_GIF_COMMENT, _GIF_APPLICATION = 0xFE, 0xFF
_GIF_XMP = b"XMP DataXMP"
_MAGIC_TRAILER = b"\x01\xff\xfe\xfd"  # how XMP in a GIF ends, so that readers step over it
_USER_COMMENT = 0x9286
_WINDOWS = {0x9C9B: "title", 0x9C9C: "comment", 0x9C9E: "keywords", 0x9C9F: "subject"}
# PNG keywords that are there to speak of rights; every other text is a remark.
_NOTICES = frozenset(
    {b"copyright", b"disclaimer", b"license", b"licence", b"rights", b"usage terms"}
)
_MOST_REMARKS = 64

_IPTC = {
    (2, 5): "title",
    (2, 25): "keywords",
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
    `notices` are further texts about rights, `remarks` texts about anything: (place, text).
    """

    xmp: bytes | None = None
    more_xmp: tuple[bytes, ...] = ()
    xmp_net: bool = False
    exif_copyright: str | None = None
    exif_artist: str | None = None
    exif_description: str | None = None
    iptc: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: tuple[str, ...] = ()
    notices: tuple[tuple[str, str], ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()

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
    notices: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)

    def add(self, packet: bytes, limits: Limits, *pieces: bytes) -> None:
        if b"\0" not in packet[:4]:  # zeros at the start are letters of UTF-16, behind it padding
            packet = packet.strip(b"\0 \t\r\n")
        if len(packet) > limits.xmp_bytes:
            self.netted = True
        elif packet and packet not in self.packets:
            self.packets.append(packet)
            self.pieces += pieces or (packet,)

    def say(self, place: str, value: object, *, notice: bool = False) -> None:
        text = _text(value)
        said = self.notices if notice else self.remarks
        if text and len(said) < _MOST_REMARKS:
            said.append((place, text))
        elif text:
            self.netted = True  # a flood of texts: nobody reads them all, so a person looks


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
    elif media_type == "image/gif":
        _read_gif(data, limits, found)
    elif media_type in ("image/jp2", "image/avif"):
        for packet in xmp_boxes(data):
            found.add(packet, limits)
    exif, iptc = _read_with_pillow(data, limits, found)
    netted = _net(data, limits, found)
    return Embedded(
        xmp=found.packets[0] if found.packets else None,
        more_xmp=tuple(found.packets[1:]),
        xmp_net=netted,
        exif_copyright=_text(exif.get(ExifTags.Base.Copyright)),
        exif_artist=_text(exif.get(ExifTags.Base.Artist)),
        exif_description=_text(exif.get(ExifTags.Base.ImageDescription)),
        iptc=MappingProxyType(iptc),
        unreadable=tuple(sorted(found.unreadable)),
        notices=tuple(found.notices),
        remarks=tuple(found.remarks),
    )


def _net(data: bytes, limits: Limits, found: _Found) -> bool:
    """Take every whole packet that no container gave; whether marks are left without one."""
    packets, left = carving.carve(data, found.pieces, limits.xmp_bytes)
    for packet in packets:
        found.add(packet, limits)
    return found.netted or left


def _read_gif(data: bytes, limits: Limits, found: _Found) -> None:
    for label, content, raw in gif_extensions(data):
        if label == _GIF_COMMENT:
            found.say("GIF comment", content)
        elif label == _GIF_APPLICATION and content.startswith(_GIF_XMP):
            # Adobe writes the packet as it is, its letters posing as lengths; others in blocks.
            plain = raw[1 + len(_GIF_XMP) :]
            blocks = content.removeprefix(_GIF_XMP)
            found.add(
                plain.partition(_MAGIC_TRAILER)[0] if _MAGIC_TRAILER in plain else blocks,
                limits,
                raw,
            )


def _read_png(data: bytes, limits: Limits, found: _Found) -> None:
    for text in png_texts(data, limits.xmp_bytes):
        if text.content is None:
            found.netted = True  # compressed beyond the limit: it may hold anything
        elif text.is_xmp:
            found.add(text.content, limits, text.raw)
        elif text.is_exif:
            found.exif = text.content
        else:
            # What stands plainly is seen by the net; what is packed has to be looked at here.
            if text.compressed and carving.is_marked(text.content):
                packets, left = carving.carve(text.content, (), limits.xmp_bytes)
                found.netted = found.netted or left
                for packet in packets:
                    found.add(packet, limits)
            place = f"PNG {text.keyword.decode('latin-1')[:79]}"
            found.say(place, text.content, notice=text.keyword.lower() in _NOTICES)


def _read_jpeg(data: bytes, limits: Limits, found: _Found) -> None:
    more: dict[bytes, list[tuple[int, bytes]]] = {}
    sizes: dict[bytes, int] = {}
    for marker, content, _ in jpeg_segments(data):
        if marker == _APP_COM:
            found.say("JPEG comment", content)
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
            _say_exif(image, exif, found)
            for packet in (image.info.get("xmp"), exif.get(_XMP_TAG)):
                if isinstance(packet, tuple):
                    packet = bytes(packet)  # noqa: PLW2901 (EXIF gives bytes as numbers)
                if isinstance(packet, bytes):
                    found.add(packet, limits)
            reading = "iptc"
            iptc = _iptc(image)
            for name in ("instructions", "caption", "credit", "source", "keywords"):
                found.say(f"IPTC {name}", iptc.get(name), notice=name == "instructions")
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


def _say_exif(image: Image.Image, exif: Mapping[int, object], found: _Found) -> None:
    """The free texts of EXIF; the character code of UserComment (8 bytes) is taken off."""
    found.say("EXIF ImageDescription", exif.get(ExifTags.Base.ImageDescription))
    comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(_USER_COMMENT)
    if isinstance(comment, bytes):
        code, text = comment[:8], comment[8:]
        wide = code.startswith(b"UNICODE")
        found.say("EXIF UserComment", _utf16(text) if wide else text)
    else:
        found.say("EXIF UserComment", comment)
    for tag, name in _WINDOWS.items():
        value = exif.get(tag)
        if isinstance(value, tuple) and all(isinstance(each, int) for each in value):
            value = bytes(each & 0xFF for each in value)
        found.say(f"EXIF XP {name}", _utf16(value) if isinstance(value, bytes) else value)


def _utf16(text: bytes) -> str:
    """UTF-16 of either order: EXIF names none, so the side with the zeros tells."""
    big = text[:2] == b"\xfe\xff" or (text[:1] == b"\0" and text[1:2] != b"\0")
    return text.decode("utf-16-be" if big else "utf-16-le", "replace").lstrip("\ufeff")


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
