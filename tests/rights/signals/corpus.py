"""Real picture files that reserve, each with a twin that differs in nothing but the reservation.

Nothing here is stored: files are made from tiny pictures when a test asks for them. `build(True)`
gives the file that reserves, `build(False)` its clean twin; `verdict` is what the first must come
to under a CC0 claim (DENY, or REVIEW where the words cannot be read for sure).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from picdeed.credentials.sign import _signed_copy

PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_MORE = b"http://ns.adobe.com/xmp/extension/\0"
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
MEDIA = {
    "PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "TIFF": "image/tiff",
    "AVIF": "image/avif", "GIF": "image/gif", "JPEG2000": "image/jp2", "BMP": "image/bmp",
}  # fmt: skip
NOTICE = "No AI training: this picture must not be used to train machine learning models."
CLEAN = "Taken at noon from the old bridge."


@dataclass(frozen=True)
class Case:
    """One carrier: how it is named in a test's id, its builder, and what it must come to."""

    name: str
    build: Callable[[bool], bytes]
    verdict: str = "DENY"


def picture(form: str = "PNG", **options) -> bytes:
    image = Image.linear_gradient("L").resize((24, 16)).convert("RGB")
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def packet(attributes: str = "", elements: str = "", spaces: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns:plus="{PLUS}" xmlns:dc="http://purl.org/dc/elements/1.1/" {spaces}>'
        f'<rdf:Description rdf:about="" {attributes}>{elements}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def inner(xmp: bytes) -> bytes:
    """A packet without the processing instructions around it."""
    return xmp.partition(b"?>")[2].rpartition(b"<?xpacket")[0]


def mining(said: bool, key: str = "DMI-PROHIBITED-AIMLTRAINING") -> str:
    return VOCABULARY + (key if said else "DMI-ALLOWED")


def usual(said: bool) -> bytes:
    return packet(f'plus:DataMining="{mining(said)}"')


FORMS: dict[str, Callable[[bool], bytes]] = {
    "attribute": usual,
    "element": lambda s: packet("", f"<plus:DataMining>{mining(s)}</plus:DataMining>"),
    "resource": lambda s: packet("", f'<plus:DataMining rdf:resource="{mining(s)}"/>'),
    "bag": lambda s: packet("", f"<plus:DataMining><rdf:Bag><rdf:li>{mining(s)}</rdf:li></rdf:Bag></plus:DataMining>"),
    "alt": lambda s: packet("", f'<plus:DataMining><rdf:Alt><rdf:li xml:lang="x-default">{mining(s)}</rdf:li></rdf:Alt></plus:DataMining>'),
    "qualified": lambda s: packet("", f'<plus:DataMining rdf:parseType="Resource"><rdf:value>{mining(s)}</rdf:value></plus:DataMining>'),
    "other-prefix": lambda s: packet(f'q1:DataMining="{mining(s)}"', "", f'xmlns:q1="{PLUS}"'),
    "bare-key": lambda s: packet(f'plus:DataMining="{mining(s).removeprefix(VOCABULARY)}"'),
    "nested": lambda s: packet("", f'<dc:rights rdf:parseType="Resource"><plus:DataMining>{mining(s)}</plus:DataMining></dc:rights>'),
    "typed-node": lambda s: usual(s).replace(b"rdf:Description", b"plus:Asset"),
    "see-constraint": lambda s: packet(f'plus:DataMining="{mining(s, "DMI-PROHIBITED-SEECONSTRAINT")}"'),
    "search-only": lambda s: packet(f'plus:DataMining="{mining(s, "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING")}"'),
    "unknown-value": lambda s: packet(f'plus:DataMining="{mining(s, "DMI-NOT-IN-2023")}"'),
    "allowed-and-prohibited": lambda s: packet(
        'plus:DataMining="DMI-ALLOWED"', f"<plus:DataMining>{mining(s).removeprefix(VOCABULARY)}</plus:DataMining>"
    ),
    "tdmrep-in-xmp": lambda s: packet(f'tdm:reservation="{int(s)}"', "", 'xmlns:tdm="http://www.w3.org/ns/tdmrep#"'),
}  # fmt: skip
DOUBTFUL: dict[str, Callable[[bool], bytes]] = {
    "case-varied": lambda s: usual(s).replace(b"plus:DataMining", b"plus:datamining") if s else usual(s),
    "misspelt-namespace": lambda s: usual(s).replace(PLUS.encode(), b"http://ns.useplus.org/ldf/") if s else usual(s),
    "cut": lambda s: usual(s)[:-90] if s else usual(s),
    "entity-bomb": lambda s: (b'<!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "x">]>' if s else b"") + inner(usual(False)),
    "bad-bytes": lambda s: usual(s).replace(b"DMI", b"\xff\xfe") if s else usual(s),
    "usage-terms": lambda s: packet("", f"<r:UsageTerms>{NOTICE if s else ''}</r:UsageTerms>", 'xmlns:r="http://ns.adobe.com/xap/1.0/rights/"'),
    "description": lambda s: packet("", f"<dc:description>{NOTICE if s else CLEAN}</dc:description>"),
    "keyword": lambda s: packet("", f"<dc:subject><rdf:Bag><rdf:li>hill</rdf:li><rdf:li>{'noai' if s else 'noon'}</rdf:li></rdf:Bag></dc:subject>"),
    "instructions": lambda s: packet(f'ps:Instructions="{NOTICE if s else CLEAN}"', "", 'xmlns:ps="http://ns.adobe.com/photoshop/1.0/"'),
}  # fmt: skip


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def in_png(*chunks: bytes, late: bool = False) -> bytes:
    data = picture("PNG")
    at = data.index(b"IEND") - 4 if late else 33
    return data[:at] + b"".join(chunks) + data[at:]


def in_jpeg(*contents: bytes, marker: int = 0xE1) -> bytes:
    data = picture("JPEG")
    parts = (bytes((0xFF, marker)) + struct.pack(">H", len(c) + 2) + c for c in contents)
    return data[:2] + b"".join(parts) + data[2:]


def with_xmp(form: str, xmp: bytes) -> bytes:
    """Where the specification puts a packet in each format."""
    if form == "PNG":
        return in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    if form == "TIFF":
        return picture(form, tiffinfo={700: xmp})
    if form in ("JPEG", "WEBP", "AVIF"):
        return picture(form, xmp=xmp)
    data = picture(form)
    if form == "GIF":
        trailer = b"\x01" + bytes(range(255, -1, -1))
        at = data.index(b"\x2c", 13 + 3 * 2)
        return data[:at] + b"\x21\xff\x0bXMP DataXMP" + xmp + trailer + b"\0" + data[at:]
    return data + struct.pack(">I", len(xmp) + 24) + b"uuid" + XMP_UUID + xmp


def extended(xmp: bytes, drop: int | None = None) -> bytes:
    guid = b"0123456789ABCDEF" * 2
    head = JPEG_MORE + guid + struct.pack(">I", len(xmp))
    parts = [head + struct.pack(">I", at) + xmp[at : at + 80] for at in range(0, len(xmp), 80)]
    main = JPEG_XMP + packet(
        f'n:HasExtendedXMP="{guid.decode()}"', "", 'xmlns:n="http://ns.adobe.com/xmp/note/"'
    )
    return in_jpeg(main, *(part for at, part in enumerate(parts) if at != drop))


def exif_with(**tags: object) -> Image.Exif:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[{"copyright": 0x8298, "description": 0x010E, "xmp": 700, "comment": 0x9C9C}[name]] = (
            value
        )
    return exif


def iptc(key: tuple[int, int], text: str) -> bytes:
    body = bytes((0x1C, *key)) + struct.pack(">H", len(text.encode())) + text.encode()
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(body)) + body + b"\0" * (len(body) % 2)
    return in_jpeg(b"Photoshop 3.0\0" + resource, marker=0xED)


def raw_profile(xmp: bytes) -> bytes:
    return b"\nxmp\n%8d\n" % len(xmp) + xmp.hex().encode() + b"\n"


def png_cases() -> Iterator[Case]:
    keyword = b"XML:com.adobe.xmp\0"
    ways: dict[str, Callable[[bytes], bytes]] = {
        "iTXt-compressed": lambda x: chunk(b"iTXt", keyword + b"\1\0\0\0" + zlib.compress(x)),
        "tEXt": lambda x: chunk(b"tEXt", keyword + x),
        "zTXt": lambda x: chunk(b"zTXt", keyword + b"\0" + zlib.compress(x)),
        "tEXt-raw-profile": lambda x: chunk(b"tEXt", b"Raw profile type xmp\0" + raw_profile(x)),
        "zTXt-raw-profile": lambda x: chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(raw_profile(x))),
        "private-chunk": lambda x: chunk(b"prVt", x),
    }  # fmt: skip
    for name, way in ways.items():
        for late in (False, True):
            place = "behind" if late else "before"
            yield Case(
                f"png-{name}-{place}", lambda s, w=way, at=late: in_png(w(usual(s)), late=at)
            )

    def two(said: bool) -> bytes:
        texts = [chunk(b"tEXt", keyword + usual(False)), chunk(b"tEXt", keyword + usual(said))]
        return in_png(*texts)

    def comment(said: bool) -> bytes:
        info = PngInfo()
        info.add_text("Comment", NOTICE if said else CLEAN, zip=True)
        return picture("PNG", pnginfo=info)

    yield Case("png-two-packets", two)
    yield Case("png-comment", comment, "REVIEW")
    broken = chunk(b"zTXt", keyword + b"\0no zlib at all")
    yield Case("png-broken-zTXt", lambda s: in_png(*[broken] * s), "REVIEW")


def jpeg_cases() -> Iterator[Case]:
    yield Case("jpeg-extended-xmp", lambda s: extended(usual(s)))
    yield Case("jpeg-extended-xmp-torn", lambda s: extended(usual(s), 2 if s else None), "REVIEW")
    yield Case("jpeg-exif-700", lambda s: picture("JPEG", exif=exif_with(xmp=usual(s))))
    yield Case("jpeg-comment-packet", lambda s: in_jpeg(usual(s), marker=0xFE))
    yield Case("jpeg-app13-packet", lambda s: in_jpeg(b"Photoshop 3.0\0" + usual(s), marker=0xED))
    yield Case("jpeg-two-app1", lambda s: in_jpeg(JPEG_XMP + usual(False), JPEG_XMP + usual(s)))
    yield Case(
        "jpeg-utf-16",
        lambda s: in_jpeg(JPEG_XMP + inner(usual(s)).decode().encode("utf-16")),
    )
    wide = '<x:xmpmeta xmlns:x="adobe:ns:meta/">DataMining</x:xmpmeta>'
    for code in ("utf-16-le", "utf-16-be", "utf-32-le"):
        yield Case(
            f"jpeg-behind-{code}",
            lambda s, c=code: picture("JPEG") + (wide.encode(c) if s else CLEAN.encode(c)),
            "REVIEW",
        )
    words = {True: NOTICE, False: CLEAN}
    yield Case("jpeg-comment", lambda s: in_jpeg(words[s].encode(), marker=0xFE), "REVIEW")
    yield Case("jpeg-iptc-copyright", lambda s: iptc((2, 116), words[s]), "REVIEW")
    yield Case("jpeg-iptc-instructions", lambda s: iptc((2, 40), words[s]), "REVIEW")
    yield Case("jpeg-iptc-keyword", lambda s: iptc((2, 25), "noai" if s else "noon"), "REVIEW")
    for name in ("copyright", "description"):
        yield Case(
            f"jpeg-exif-{name}",
            lambda s, n=name: picture("JPEG", exif=exif_with(**{n: words[s]})),
            "REVIEW",
        )
    yield Case(
        "jpeg-exif-xp-comment",
        lambda s: picture("JPEG", exif=exif_with(comment=words[s].encode("utf-16-le"))),
        "REVIEW",
    )
    yield Case(
        "jpeg-50-MB-packet",
        lambda s: (
            picture("JPEG")
            + usual(s).replace(b"</rdf:RDF>", b" " * ((50 << 20) * s) + b"</rdf:RDF>")
        ),
        "REVIEW",
    )


def other_cases() -> Iterator[Case]:
    for form in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "GIF", "JPEG2000"):
        low = form.lower()
        yield Case(f"{low}-xmp", lambda s, f=form: with_xmp(f, usual(s)))
        if form not in ("PNG", "JPEG"):
            yield Case(f"{low}-cut", lambda s, f=form: with_xmp(f, DOUBTFUL["cut"](s)), "REVIEW")
    for form in MEDIA:
        yield Case(f"{form.lower()}-trailing", lambda s, f=form: picture(f) + b"\0" * 9 + usual(s))
        yield Case(
            f"{form.lower()}-trailing-cut",
            lambda s, f=form: picture(f) + (usual(s)[:-60] if s else usual(s)),
            "REVIEW",
        )
    yield Case("gif-comment", lambda s: picture("GIF", comment=NOTICE if s else CLEAN), "REVIEW")
    for name, xmp in FORMS.items():
        yield Case(f"xmp-{name}", lambda s, x=xmp: with_xmp("JPEG", x(s)))
    for name, xmp in DOUBTFUL.items():
        yield Case(f"xmp-{name}", lambda s, x=xmp: with_xmp("PNG", x(s)), "REVIEW")
    yield Case(
        "several-carriers",
        lambda s: picture("JPEG", exif=exif_with(xmp=usual(s)), xmp=usual(False)),
    )


def resaved(form: str, said: bool) -> bytes:
    """Opened and written again by a program that knows nothing of rights but copies XMP."""
    with Image.open(io.BytesIO(with_xmp("JPEG", usual(said)))) as first:
        stream = io.BytesIO()
        first.save(stream, form, xmp=first.info["xmp"], quality=70)
    return stream.getvalue()


def manifest(label: str, entry: str, use: str) -> dict:
    entries = {"entries": {entry: {"use": use, "constraint_info": "ask"}}}
    created = {
        "action": "c2pa.created",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
    }
    return {
        "claim_generator_info": [{"name": "camera", "version": "1"}],
        "title": "a picture",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": label, "data": entries},
        ],
    }


def mended(data: bytes, form: str) -> bytes:
    """A PNG with right check sums again: otherwise its change would be found without C2PA."""
    if form != "PNG":
        return data
    at, out = 8, data[:8]
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        out += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + size])
        at += 12 + size
    return out


def signed_cases(identity) -> Iterator[Case]:
    """Files signed by a development identity."""

    def signed(form: str, label: str, entry: str, use: str) -> bytes:
        return _signed_copy(picture(form), MEDIA[form], manifest(label, entry, use), identity)

    for form in ("PNG", "JPEG", "WEBP"):
        for label in ("cawg.training-mining", "c2pa.training-mining"):
            space = label.partition(".")[0]
            for entry, use in (
                ("ai_generative_training", "notAllowed"),
                ("ai_training", "constrained"),
                ("data_mining", "notAllowed"),
            ):
                yield Case(
                    f"c2pa-{form.lower()}-{space}-{entry}-{use}",
                    lambda s, f=form, la=label, e=f"{space}.{entry}", u=use: signed(
                        f, la, e, u if s else "allowed"
                    ),
                )
        whole = ("cawg.training-mining", "cawg.ai_training", "allowed")

        def damaged(said: bool, old: bytes, new: bytes, form: str = form, whole=whole) -> bytes:
            data = signed(form, *whole)
            return mended(data.replace(old, new, 1), form) if said else data

        yield Case(
            f"c2pa-{form.lower()}-assertion-changed",
            lambda s, d=damaged: d(s, b"allowed", b"Allowed"),
            "REVIEW",
        )
        yield Case(
            f"c2pa-{form.lower()}-store-destroyed",
            lambda s, d=damaged: d(s, b"jumdc2pa", b"jumdxxxx"),
            "REVIEW",
        )

    def broken_and_forbidding(said: bool) -> bytes:
        use = "notAllowed" if said else "allowed"
        data = signed("JPEG", "cawg.training-mining", "cawg.ai_training", use)
        return data.replace(b"camera", b"Camera", 1) if said else data

    yield Case("c2pa-jpeg-broken-and-forbidding", broken_and_forbidding)


def all_cases(identity) -> list[Case]:
    again = [
        Case(f"resaved-as-{f.lower()}", lambda s, f=f: resaved(f, s))
        for f in ("WEBP", "JPEG", "AVIF")
    ]
    return [*png_cases(), *jpeg_cases(), *other_cases(), *again, *signed_cases(identity)]
