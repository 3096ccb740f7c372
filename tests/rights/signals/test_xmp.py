"""Is every way to write an opt-out into XMP caught, and is nothing else taken for one?"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core.limits import Limits
from picdeed.rights.claims import ClaimKind, ClaimSource, ClaimStatus
from picdeed.rights.decide import conclude
from picdeed.rights.signals.xmp import MINING_KEYS, read_xmp, unreadable
from picdeed.rights.verdict import Use, Verdict

PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
SPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    f'xmlns:plus="{PLUS}" xmlns:p="{PLUS}" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" '
    'xmlns:cc="http://creativecommons.org/ns#" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
)
FORMS = {
    "attribute": ('plus:DataMining="{}"', ""),
    "another prefix": ('p:DataMining="{}"', ""),
    "element": ("", "<plus:DataMining>{}</plus:DataMining>"),
    "blanks": ("", "<plus:DataMining>\n  {}\n</plus:DataMining>"),
    "resource": ("", '<plus:DataMining rdf:resource="{}"/>'),
    "cdata": ("", "<plus:DataMining><![CDATA[{}]]></plus:DataMining>"),
    "bag": ("", "<plus:DataMining><rdf:Bag><rdf:li>{}</rdf:li></rdf:Bag></plus:DataMining>"),
    "language": (
        "",
        '<plus:DataMining><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></plus:DataMining>',
    ),
    "qualified": (
        "",
        '<plus:DataMining rdf:parseType="Resource"><rdf:value>{}</rdf:value></plus:DataMining>',
    ),
    "nested": (
        "",
        '<photoshop:Thing rdf:parseType="Resource"><plus:DataMining>{}</plus:DataMining></photoshop:Thing>',
    ),
    "own prefix": ("", f'<x1:DataMining xmlns:x1="{PLUS}">{{}}</x1:DataMining>'),
}


def packet(attributes="", elements=""):
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {SPACES}><rdf:Description rdf:about="" {attributes}>{elements}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>" + " " * 200 + '<?xpacket end="w"?>'
    ).encode()


@pytest.fixture
def read(catalogue):
    return lambda data, **limits: read_xmp(data, catalogue.aliases, Limits(**limits))


@pytest.fixture
def train(catalogue, read):
    """The verdict on training of a picture under CC0 that carries this packet."""
    from picdeed.rights.claims import license_claim

    free = license_claim("CC0-1.0", ClaimSource.PERSON, catalogue.aliases)
    return lambda data: conclude([free, *read(data)], catalogue).verdicts[Use.TRAIN]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", MINING_KEYS)
def test_all_nine_values_in_every_form(train, read, key, form):
    for value in (key, VOCABULARY + key):
        data = packet(*(part.format(value) for part in FORMS[form]))
        open_ = key in ("DMI-UNSPECIFIED", "DMI-ALLOWED")
        assert train(data) is (Verdict.ALLOW if open_ else Verdict.DENY)
        (claim,) = read(data)
        assert claim.parsed == key
        assert claim.source is ClaimSource.EMBEDDED_XMP
        assert (claim.kind is ClaimKind.OPT_IN) == (key == "DMI-ALLOWED")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "value",
    ["DMI-MAYBE", "dmi-allowed", "", "yes", VOCABULARY, "https://example.org/DMI-ALLOWED", "DMI-ALLOWED DMI-UNSPECIFIED"],
)  # fmt: skip
def test_an_unknown_value_is_a_prohibition(train, form, value):
    assert train(packet(*(part.format(value) for part in FORMS[form]))) is Verdict.DENY


def test_of_two_values_the_strict_one_binds(train):
    both = packet('plus:DataMining="DMI-ALLOWED"', "<p:DataMining>DMI-PROHIBITED</p:DataMining>")
    assert train(both) is Verdict.DENY


def test_two_equal_values_are_one(train):
    twice = packet(
        'plus:DataMining="DMI-ALLOWED"', "<plus:DataMining>DMI-ALLOWED</plus:DataMining>"
    )
    assert train(twice) is Verdict.ALLOW


STRAY = {
    "wrong namespace": packet('xmlns:q="http://ns.useplus.org/ldf/xmp/1.0" q:DataMining="DMI-PROHIBITED"'),
    "https namespace": packet('xmlns:q="https://ns.useplus.org/ldf/xmp/1.0/" q:DataMining="DMI-ALLOWED"'),
    "outside the graph": packet().replace(
        b"</x:xmpmeta>", f'<q xmlns:plus="{PLUS}" plus:DataMining="DMI-PROHIBITED"/></x:xmpmeta>'.encode()
    ),
    "no graph at all": f'<a xmlns:plus="{PLUS}"><plus:DataMining>DMI-PROHIBITED</plus:DataMining></a>'.encode(),
    "on the graph itself": packet().replace(b"<rdf:RDF ", b'<rdf:RDF p:DataMining="DMI-ALLOWED" '),
    "in a literal": packet(
        elements='<dc:rights rdf:parseType="Literal"><plus:DataMining>DMI-PROHIBITED</plus:DataMining></dc:rights>'
    ),
    "as plain text": packet(elements="<photoshop:Note>plus DMI-PROHIBITED</photoshop:Note>"),
    "in a comment": packet(elements="<!-- DMI-PROHIBITED -->"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRAY)
def test_a_mark_where_no_reader_looks_asks_a_person(train, name):
    assert train(STRAY[name]) is Verdict.REVIEW


OPT_OUT = packet('plus:DataMining="DMI-PROHIBITED"')
BROKEN = {
    "empty": b"",
    "no xml": b"plus:DataMining DMI-PROHIBITED",
    "cut": OPT_OUT[: len(OPT_OUT) // 2],
    "cut before the end": OPT_OUT.split(b"</rdf:RDF>")[0],
    "bad bytes": OPT_OUT.replace(b"DMI", b"\xff\xfe\xfd"),
    "unbound prefix": OPT_OUT.replace(b'xmlns:plus="', b'xmlns:minus="'),
    "bad rdf": packet(elements='<rdf:RDF/><rdf:li rdf:parseType="x" rdf:resource="y"/>').replace(
        b"<rdf:li", b'<dc:title rdf:ID="1 2"/><rdf:li'
    ),
    "doctype": b'<!DOCTYPE x [<!ENTITY a "DMI-ALLOWED">]>' + OPT_OUT,
    "bomb": b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
    "outside entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "deep": b"<a>" * 100_000 + b"</a>" * 100_000,
    "wide": b"<a>" + b"<b/>" * 200_001 + b"</a>",
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?><a/>',
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_asks_a_person_and_says_why(train, read, name):
    (claim,) = read(BROKEN[name])
    assert (claim.kind, claim.status) == (ClaimKind.OPT_OUT, ClaimStatus.UNREADABLE)
    assert claim.note
    assert "passwd" not in claim.note
    assert train(BROKEN[name]) is Verdict.REVIEW


def test_an_over_long_packet_is_not_parsed(read):
    (claim,) = read(OPT_OUT, xmp_bytes=100)
    assert claim.status is ClaimStatus.UNREADABLE
    assert "at most 100" in claim.note


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_and_padding(train, encoding):
    for data in (OPT_OUT, packet('plus:DataMining="DMI-ALLOWED"')):
        text = data.decode().replace("\ufeff", "")
        expected = Verdict.DENY if data is OPT_OUT else Verdict.ALLOW
        assert train(text.encode(encoding)) is expected
    assert train(OPT_OUT + b"\x00" * 20) is Verdict.DENY


@pytest.mark.parametrize("data", [packet(), b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"])
def test_a_packet_that_says_nothing_moves_nothing(train, read, data):
    assert read(data) == ()
    assert train(data) is Verdict.ALLOW


def test_a_long_editing_history_is_passed_over(train):
    history = "<photoshop:DocumentAncestors><rdf:Bag>" + "<rdf:li>x</rdf:li>" * 20_000
    history += "</rdf:Bag></photoshop:DocumentAncestors>"
    assert train(packet(elements=history)) is Verdict.ALLOW
    assert train(packet('plus:DataMining="DMI-PROHIBITED"', history)) is Verdict.DENY


@pytest.mark.parametrize("key", ["DMI-PROHIBITED", "DMI-ALLOWED"])
def test_a_flood_of_statements_asks_and_keeps_the_opt_out(train, read, key):
    titles = "".join(f"<dc:title>{i}</dc:title>" for i in range(2_001))
    data = packet(f'plus:DataMining="{key}"', titles)
    assert len(read(data)) <= 2
    assert train(data) is (Verdict.DENY if key == "DMI-PROHIBITED" else Verdict.REVIEW)


def test_a_flood_of_opt_outs_asks(train):
    marks = "".join(f"<plus:DataMining>{i}</plus:DataMining>" for i in range(2_001))
    assert train(packet(elements=marks)) is Verdict.REVIEW


def test_a_strangers_uri_is_not_printed(read, capfd, caplog):
    read(packet(elements='<cc:license rdf:resource="http://a b"/>'))
    assert caplog.text == ""
    assert capfd.readouterr().err == ""


def test_the_other_rights_fields(read):
    said = read(
        packet(
            'xmpRights:WebStatement="https://creativecommons.org/licenses/by/4.0/"',
            "<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bo</rdf:li></rdf:Seq></dc:creator>"
            '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Sea</rdf:li></rdf:Alt></dc:title>'
            '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2020 Ada</rdf:li></rdf:Alt></dc:rights>'
            "<xmpRights:Owner><rdf:Bag><rdf:li>Bo</rdf:li></rdf:Bag></xmpRights:Owner>"
            "<xmpRights:UsageTerms><rdf:Alt><rdf:li xml:lang='en'>Ask me</rdf:li></rdf:Alt>"
            "</xmpRights:UsageTerms>"
            '<cc:license rdf:resource="http://creativecommons.org/licenses/by/4.0/"/>'
            "<dc:description>not asked for</dc:description>",
        )
    )
    assert {(claim.kind, claim.parsed) for claim in said} == {
        (ClaimKind.AUTHOR, "Ada"),
        (ClaimKind.AUTHOR, "Bo"),
        (ClaimKind.TITLE, "Sea"),
        (ClaimKind.HOLDER, "Bo"),
        (ClaimKind.LICENSE, "CC-BY-4.0"),
        (ClaimKind.RIGHTS_STATEMENT, None),
        (ClaimKind.RIGHTS_STATEMENT, "unread-terms"),
    }
    assert len(said) == 8  # the licence is said twice, in two spellings


def test_a_licence_in_the_file_that_is_no_licence_denies(train):
    assert (
        train(packet(elements='<cc:license rdf:resource="http://example.org/l"/>')) is Verdict.DENY
    )
    assert train(packet('xmpRights:WebStatement="http://example.org/l"')) is Verdict.REVIEW


def test_claims_do_not_depend_on_the_order_in_the_file(read):
    one = packet('plus:DataMining="DMI-PROHIBITED"', "<dc:title>a</dc:title><dc:title>b</dc:title>")
    other = packet(
        "",
        "<dc:title>b</dc:title><dc:title>a</dc:title><p:DataMining>DMI-PROHIBITED</p:DataMining>",
    )
    assert read(one) == read(other)


def test_the_byte_net_gives_the_same_claim():
    claim = unreadable("the file holds an XMP mark that no reader could open", b"\xffxmp")
    assert (claim.kind, claim.status) == (ClaimKind.OPT_OUT, ClaimStatus.UNREADABLE)
    assert claim.raw == "\\xffxmp"


@given(st.integers(0, 2**32))
def test_no_damage_raises_or_turns_an_opt_out_into_silence(catalogue, seed):
    rng = random.Random(seed)
    data = bytearray(OPT_OUT)
    # the packet's own mark stays, everything around it may be hit
    where = [i for i in range(len(data)) if not 0 <= i - OPT_OUT.index(b"plus:DataM") < 33]
    for at in rng.sample(where, rng.choice([1, 1, 2, 8])):
        data[at] = rng.choice([rng.randrange(256), ord("<"), ord(">"), ord('"'), 0])
    claims = read_xmp(bytes(data), catalogue.aliases)
    assert any(claim.kind is ClaimKind.OPT_OUT for claim in claims), bytes(data)


@given(st.binary(max_size=300))
def test_no_bytes_raise(catalogue, data):
    read_xmp(data, catalogue.aliases)
    read_xmp(b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' + data, catalogue.aliases)  # fmt: skip


IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
NEWS = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.mark.parametrize(
    ("elements", "kind", "parsed"),
    [
        (
            "<plus:Licensor><rdf:Seq><rdf:li rdf:parseType='Resource'><plus:LicensorName>Ada Ltd</plus:LicensorName></rdf:li></rdf:Seq></plus:Licensor>",
            "licensor",
            "Ada Ltd",
        ),
        (
            f"<plus:ModelReleaseStatus rdf:resource='{VOCABULARY}MR-UMR'/>",
            "model-release",
            "unlimited",
        ),
        ("<plus:ModelReleaseStatus>MR-NON</plus:ModelReleaseStatus>", "model-release", "none"),
        ("<plus:ModelReleaseStatus>MR-NEW</plus:ModelReleaseStatus>", "model-release", "limited"),
        (
            "<plus:PropertyReleaseStatus>PR-NAP</plus:PropertyReleaseStatus>",
            "property-release",
            "not-applicable",
        ),
        (
            f"<i:PersonInImage xmlns:i='{IPTC}'><rdf:Bag><rdf:li>Bo</rdf:li></rdf:Bag></i:PersonInImage>",
            "persons",
            "identifiable",
        ),
        (
            f"<i:DigitalSourceType xmlns:i='{IPTC}'>{NEWS}trainedAlgorithmicMedia</i:DigitalSourceType>",
            "synthetic",
            "trainedAlgorithmicMedia",
        ),
        ("<tdm:reservation xmlns:tdm='http://www.w3.org/ns/tdmrep#'>1</tdm:reservation>", "opt-out", "tdm-reservation=1"),
    ],
)  # fmt: skip
def test_people_and_machines(read, elements, kind, parsed):
    assert [(c.kind, c.parsed) for c in read(packet(elements=elements))] == [(kind, parsed)]


@pytest.mark.parametrize(
    "elements",
    [
        f"<i:DigitalSourceType xmlns:i='{IPTC}'>{NEWS}digitalCapture</i:DigitalSourceType>",
        "<dc:description>At an AI conference</dc:description>",
        "<dc:subject><rdf:Bag><rdf:li>machine learning</rdf:li></rdf:Bag></dc:subject>",
    ],
)
def test_what_is_no_signal(read, elements):
    assert read(packet(elements=elements)) == ()
