"""Is every rule read from a pinned text, is that text shipped, and does its clause say so?"""

import re

import pytest

from picdeed.core.resources import bundled
from picdeed.rights.catalogue import load_catalogue, plain_text, text_digest
from picdeed.rights.verdict import Certainty, Use

TEXTS = bundled("configs") / "licenses/texts"
CATALOGUE = load_catalogue(bundled("configs"))
TERMS = {text.id: text for text in CATALOGUE.licenses.values()}
OLD = ("1.0", "2.0", "2.5", "3.0")
# The copy of this one lost its letters on the way; it was read by the order of its paragraphs.
UNLETTERED = "CC-BY-NC-2.5"


def rules(text):
    return [*text.rules.values(), *text.non_commercial.values()]


def paragraph(license_id, section, letter):
    """One lettered paragraph of a CC licence up to 3.0, blanks folded."""
    text = (TEXTS / f"{license_id}.txt").read_text("utf-8")
    after = re.split(rf"\n\s*{section}\. ", text, maxsplit=1)[1]
    body = re.split(rf"\n\s*{int(section) + 1}\. ", after, maxsplit=1)[0]
    found = re.split(rf"\n\s+{letter}\. ", body, maxsplit=1)[1]
    return " ".join(re.split(r"\n\s+[a-z]\. ", found, maxsplit=1)[0].split())


def words_of(license_id):
    return " ".join((TEXTS / f"{license_id}.txt").read_text("utf-8").split())


def test_a_text_is_compared_without_its_trimmings():
    plain = "One \nTwo\n\nThree\n"
    copies = [plain, "\ufeffOne\r\nTwo\t\r\n\r\nThree", "\n\nOne\rTwo\r\rThree\n\n\n"]
    assert {text_digest(copy) for copy in copies} == {text_digest(plain)}
    assert plain_text(plain) == "One\nTwo\n\nThree\n"
    assert plain_text(plain_text(plain)) == plain_text(plain)
    for other in ("One Two\n\nThree\n", "one\nTwo\n\nThree\n", "One\nTwo\nThree\n", ""):
        assert text_digest(other) != text_digest(plain)


@pytest.mark.parametrize("license_id", TERMS)
def test_a_text_is_shipped_as_it_was_read_or_says_why_not(license_id):
    text = TERMS[license_id]
    if text.text_file is None:
        assert license_id.startswith("LicenseRef-")
        return
    data = text.text_file.read_bytes()
    assert text_digest(data.decode("utf-8")) == text.text_sha256
    assert plain_text(data.decode("utf-8")).encode() == data  # so the bytes hash to the pin too
    assert text.text_source
    assert text.text_file.is_absolute()


@pytest.mark.parametrize("text", [*TERMS.values(), *{b.license: b.terms for b in CATALOGUE.bases.values()}.values()], ids=lambda t: t.id)  # fmt: skip
def test_what_was_read_from_no_text_is_unstated(text):
    if text.text_sha256 or text.id == "NONE":
        return
    assert {rule.certainty for rule in rules(text)} == {Certainty.UNSTATED}


def test_every_text_belongs_to_a_licence_and_all_are_small():
    used = {text.text_file for text in TERMS.values()} - {None}
    assert used == set(TEXTS.resolve().iterdir())
    assert sum(path.stat().st_size for path in used) < 1_500_000


def test_a_duty_to_pass_the_text_on_can_be_kept():
    """A licence of pictures that asks for its notice ships its text."""
    for text in TERMS.values():
        if "notice" in text.duties:
            assert text.text_file is not None, text.id


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize(
    ("family", "letter", "said"),
    [
        ("CC-BY", "b", "credit"),
        ("CC-BY-SA", "b", "only under"),
        ("CC-BY-SA", "c", "credit"),
        ("CC-BY-NC", "b", "commercial advantage"),
        ("CC-BY-NC", "c", "credit"),
        ("CC-BY-ND", "b", "credit"),
        ("CC-BY-NC-SA", "b", "only under"),
        ("CC-BY-NC-SA", "c", "commercial advantage"),
        ("CC-BY-NC-SA", "d", "credit"),
        ("CC-BY-NC-ND", "b", "commercial advantage"),
        ("CC-BY-NC-ND", "c", "credit"),
    ],
)
def test_section_4_says_what_the_rules_name_it_for(family, version, letter, said):
    name = f"{family}-{version}"
    if name == UNLETTERED:
        assert "commercial advantage" in words_of(name)
        return
    assert said in paragraph(name, "4", letter)


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("family", ["CC-BY", "CC-BY-SA", "CC-BY-NC", "CC-BY-NC-SA"])
def test_section_3_gives_derivatives_where_the_rules_say_so(family, version):
    name = f"{family}-{version}"
    if name != UNLETTERED:
        assert "eproduce the Work" in paragraph(name, "3", "a")
        assert "to create and" in paragraph(name, "3", "b")


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("family", ["CC-BY-ND", "CC-BY-NC-ND"])
def test_section_3_gives_no_derivatives_where_the_rules_say_so(family, version):
    name = f"{family}-{version}"
    assert "to create and" not in paragraph(name, "3", "b")
    if version != "1.0":  # which is silent, and so reserves them
        assert re.search(r"otherwise you have no rights to make \w+", words_of(name))
    assert "ll rights not expressly granted" in words_of(name)


@pytest.mark.parametrize("family", ["CC-BY-SA", "CC-BY-NC-SA"])
@pytest.mark.parametrize("version", [*OLD, "4.0"])
def test_share_alike_moves_on_where_the_text_says_so(family, version):
    text = TERMS[f"{family}-{version}"]
    later = [v for v in (*OLD, "4.0") if v >= version]
    said = words_of(text.id)
    moves = "later version of this License with the same License Elements" in said
    moves |= "same License Elements, this version or later" in said
    assert moves == (version != "1.0")
    assert text.release_as == tuple(f"{family}-{v}" for v in (later if moves else [version]))


@pytest.mark.parametrize(
    ("license_id", "said"),
    [
        ("CC-BY-NC-4.0", "i. NonCommercial means"),
        ("CC-BY-NC-SA-4.0", "k. NonCommercial means"),
        ("CC-BY-NC-4.0", "produce, reproduce, and Share Adapted Material for NonCommercial"),
        ("CC-BY-ND-4.0", "b. produce and reproduce, but not Share, Adapted Material."),
        ("CC-BY-NC-ND-4.0", "but not Share, Adapted Material for NonCommercial purposes only"),
        ("CC-BY-4.0", "cured within 30 days of Your discovery"),
        ("CC-BY-NC-ND-4.0", "cured within 30 days of Your discovery"),
        ("CC-BY-3.0", "terminate automatically upon any breach"),
        ("CC-BY-1.0", "terminate automatically upon any breach"),
        ("CC0-1.0", "for any purpose whatsoever, including without limitation commercial"),
        ("CC-PDM-1.0", "free of known restrictions under copyright law"),
        ("CC-PDDC", "used, modified, built upon, or otherwise exploited by anyone for any purpose"),
        ("Unlicense", "for any purpose, commercial or non-commercial, and by any means"),
        ("MIT", "shall be included in all copies or substantial portions"),
        ("ISC", "appear in all copies"),
        ("BSD-3-Clause", "endorse or promote products derived"),
        ("Apache-2.0", '(d) If the Work includes a "NOTICE" text file'),
        ("OFL-1.1", "does not apply to any document created using the Font Software"),
        ("ODbL-1.0", "does not cover any rights (other than Database Rights or in contract) in"),
        ("ODbL-1.0", "must be only under the terms of: i. This License"),
        ("CDLA-Permissive-2.0", "any restriction or obligations with respect to the use, modification, or sharing of Results"),
        ("CDLA-Permissive-2.0", "machine learning models"),
    ],
)  # fmt: skip
def test_words_that_a_rule_rests_on(license_id, said):
    assert said in words_of(license_id)


@pytest.mark.parametrize(
    ("license_id", "said"),
    [
        ("GPL-2.0-only", "The act of running the Program is not restricted"),
        ("GPL-2.0-or-later", "licensed as a whole at no charge to all third parties under"),
        ("GPL-3.0-only", "c) You must license the entire work, as a whole, under this License"),
        (
            "GPL-3.0-or-later",
            "You may make, run and propagate covered works that you do not convey",
        ),
    ],
)
def test_words_that_the_rules_for_programs_rest_on(license_id, said):
    path = TERMS[license_id].text_file
    assert path is not None
    assert said in " ".join(path.read_text("utf-8").split())


def test_the_uses_are_all_spoken_of():
    for text in TERMS.values():
        assert set(text.rules) == set(Use)
