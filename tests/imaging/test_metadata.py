"""Is every packet found, wherever a tool put it, and is a hidden one at least noticed?"""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from picdeed.core.limits import Limits
from picdeed.imaging.boxes import XMP_UUID
from picdeed.imaging.decode import decode
from picdeed.imaging.metadata import embedded

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining='
    b'"http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"/></rdf:RDF></x:xmpmeta>'
)
OTHER = XMP.replace(b"DMI-PROHIBITED", b"DMI-ALLOWED")


def small() -> Image.Image:
    return Image.linear_gradient("L").resize((24, 16)).convert("RGB")


def chunk(kind: bytes, content: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def put_in_png(data: bytes, *chunks: bytes, late: bool = False) -> bytes:
    at = data.index(b"IEND") - 4 if late else 33
    return data[:at] + b"".join(chunks) + data[at:]


def put_in_jpeg(data: bytes, *contents: bytes, marker: int = 0xE1) -> bytes:
    segments = b"".join(
        bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content
        for content in contents
    )
    return data[:2] + segments + data[2:]


def read(data: bytes, limits: Limits | None = None):
    limits = limits or Limits()
    return embedded(data, decode(data, limits).media_type, limits)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "AVIF", "PNG"])
def test_a_packet_where_the_specification_puts_it(encode, form):
    if form == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        data = encode(small(), form, pnginfo=info)
    elif form == "TIFF":
        data = encode(small(), form, tiffinfo={700: XMP})
    else:
        data = encode(small(), form, xmp=XMP)
    found = read(data)
    assert found.packets == (XMP,)
    assert not found.xmp_net
    assert found.unreadable == ()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        chunk(b"tEXt", b"XML:com.adobe.xmp\0" + XMP),
        chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(XMP)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0key\0" + zlib.compress(XMP)),
        chunk(
            b"zTXt",
            b"Raw profile type xmp\0\0"
            + zlib.compress(b"\nxmp\n%8d\n" % len(XMP) + XMP.hex().encode() + b"\n"),
        ),
    ],
    ids=["tEXt", "zTXt", "iTXt", "packed iTXt", "raw profile"],
)
def test_png_texts_in_front_of_and_behind_the_pixels(encode, text, late):
    found = read(put_in_png(encode(small(), "PNG"), text, late=late))
    assert found.packets == (XMP,)
    assert not found.xmp_net


def test_a_second_packet_is_not_lost(encode):
    info = [chunk(b"tEXt", b"XML:com.adobe.xmp\0" + each) for each in (XMP, OTHER, XMP)]
    found = read(put_in_png(encode(small(), "PNG"), *info))
    assert found.packets == (XMP, OTHER)
    jpeg = [b"http://ns.adobe.com/xap/1.0/\0" + each for each in (XMP, OTHER)]
    assert read(put_in_jpeg(encode(small(), "JPEG"), *jpeg)).packets == (XMP, OTHER)


def test_extended_xmp_is_put_together_in_its_order(encode):
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">I", len(OTHER))
    parts = [head + struct.pack(">I", at) + OTHER[at : at + 90] for at in range(0, len(OTHER), 90)]
    main = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    whole = read(put_in_jpeg(encode(small(), "JPEG"), main, *reversed(parts)))
    assert whole.packets == (XMP, OTHER)
    assert not whole.xmp_net
    quiet = [part for part in parts[1:] if b"DataMining" not in part]  # the net sees nothing
    torn = read(put_in_jpeg(encode(small(), "JPEG"), main, *quiet))
    assert torn.packets == (XMP,)
    assert torn.xmp_net
    assert torn.unreadable == ("xmp",)


def test_a_packet_in_exif(encode):
    exif = Image.Exif()
    exif[700] = XMP
    found = read(encode(small(), "JPEG", exif=exif))
    assert found.packets == (XMP,)


@pytest.mark.parametrize("code", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_the_net_catches_what_no_parser_gave(encode, code):
    hidden = XMP.decode().encode(code)
    # What is written in plain letters is cut out whole; the rest is reported.
    found = ((XMP,), False) if code == "utf-8" else ((), True)
    comment = read(put_in_jpeg(encode(small(), "JPEG"), hidden, marker=0xFE))
    behind = read(encode(small(), "JPEG") + hidden)
    private = read(put_in_png(encode(small(), "PNG"), chunk(b"prVt", hidden)))
    for each in (comment, behind, private):
        assert (each.packets, each.xmp_net) == found


def test_the_net_sees_beyond_a_packet_that_was_read(encode):
    data = encode(small(), "JPEG", xmp=XMP)
    assert not read(data).xmp_net
    assert read(data + OTHER).packets == (XMP, OTHER)
    assert read(data + OTHER[:-20]).xmp_net
    assert read(data + b" plus:datamining=no").xmp_net


@pytest.mark.parametrize("way", ["blocks", "magic trailer"])
def test_a_packet_in_a_gif(encode, way):
    data = encode(small(), "GIF")
    at = data.index(b"\x2c", 13 + 3 * 2)
    blocks = b"".join(
        bytes((len(XMP[i : i + 250]),)) + XMP[i : i + 250] for i in range(0, len(XMP), 250)
    )
    trailer = b"\x01" + bytes(range(255, -1, -1))
    content = blocks if way == "blocks" else XMP + trailer
    found = read(data[:at] + b"\x21\xff\x0bXMP DataXMP" + content + b"\0" + data[at:])
    assert (found.packets, found.xmp_net) == ((XMP,), False)


@pytest.mark.parametrize("form", ["JPEG2000", "AVIF"])
@pytest.mark.parametrize("code", ["utf-8", "utf-16"])
def test_a_packet_in_a_box_of_its_own(encode, form, code):
    packet = XMP.decode().encode(code)
    content = b"uuid" + XMP_UUID + packet
    data = encode(small(), form) + struct.pack(">I", len(content) + 4) + content
    found = read(data)
    assert (found.packets, found.xmp_net) == ((packet,), False)
    assert embedded(data[:-30], decode(data).media_type).xmp_net


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF"])
def test_other_texts_are_handed_on(encode, form):
    said = "no AI training, please"
    if form == "JPEG":
        data = encode(small(), form, comment=said)
    elif form == "PNG":
        info = PngInfo()
        info.add_text("Comment", said)
        info.add_text("Copyright", "(c) Ada", zip=True)
        data = encode(small(), form, pnginfo=info)
        assert read(data).notices == (("PNG Copyright", "(c) Ada"),)
    elif form == "GIF":
        data = encode(small(), form, comment=said)
    else:
        exif = Image.Exif()
        exif[0x9C9C] = said.encode("utf-16-le")
        data = encode(small(), form, exif=exif)
    assert said in [text for _, text in read(data).remarks]


@pytest.mark.parametrize("code", [b"ASCII\0\0\0", b"UNICODE\0", bytes(8)])
def test_a_comment_of_the_camera(encode, code):
    exif = Image.Exif()
    text = "no AI".encode("utf-16-le") if code.startswith(b"UNI") else b"no AI"
    exif.get_ifd(0x8769)[0x9286] = code + text
    found = read(encode(small(), "JPEG", exif=exif))
    assert ("EXIF UserComment", "no AI") in found.remarks


def test_marks_in_packed_texts_and_texts_beyond_the_limit_are_noticed(encode):
    png = encode(small(), "PNG")
    packed = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"plus:DataMining no"))
    assert read(put_in_png(png, packed)).xmp_net
    bomb = chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(XMP + bytes(5000)))
    assert embedded(put_in_png(png, bomb), "image/png", Limits(xmp_bytes=2_000)).xmp_net
    assert read(encode(small(), "JPEG", xmp=XMP), Limits(xmp_bytes=100)).xmp_net
    broken = chunk(b"zTXt", b"XML:com.adobe.xmp\0\0no zlib")
    assert embedded(put_in_png(png, broken), "image/png").xmp_net


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_fields(encode, form):
    exif = Image.Exif()
    exif[0x8298], exif[0x013B], exif[0x010E] = "(c) Ada \0 Ltd", "Ada", "A hill"
    found = read(encode(small(), form, exif=exif))
    assert found.exif_copyright.startswith("(c) Ada")
    assert "\0" not in found.exif_copyright
    assert (found.exif_artist, found.exif_description) == ("Ada", "A hill")


def test_exif_behind_the_pixels_of_a_png(encode):
    exif = Image.Exif()
    exif[0x8298] = "(c) late"
    late = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    found = embedded(put_in_png(encode(small(), "PNG"), late, late=True), "image/png")
    assert found.exif_copyright == "(c) late"


def test_iptc_fields(encode):
    fields = {(2, 116): "© Grün".encode(), (2, 80): b"Ada", (2, 120): b"A hill"}
    iptc = b"".join(
        bytes((0x1C, *key)) + struct.pack(">H", len(text)) + text for key, text in fields.items()
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc
    resource += b"\0" * (len(iptc) % 2)
    found = read(put_in_jpeg(encode(small(), "JPEG"), b"Photoshop 3.0\0" + resource, marker=0xED))
    assert found.iptc == {"copyright": "© Grün", "byline": "Ada", "caption": "A hill"}


def test_broken_metadata_is_reported_and_never_raises(encode):
    data = put_in_jpeg(
        encode(small(), "JPEG"), b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x82\x98" * 9
    )
    found = embedded(data, "image/jpeg")
    assert found.unreadable == ("exif",)
    assert found.exif_copyright is None


def test_a_file_that_says_nothing(encode):
    found = read(encode(small(), "PNG"))
    assert (found.xmp, found.packets, found.xmp_net, found.iptc) == (None, (), False, {})


def test_a_flood_of_texts_asks_a_person(encode):
    many = [chunk(b"tEXt", b"Comment\0%d" % n) for n in range(80)]
    assert not read(put_in_png(encode(small(), "PNG"), *many[:60])).xmp_net
    assert read(put_in_png(encode(small(), "PNG"), *many)).xmp_net
