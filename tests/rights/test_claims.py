"""Are claims built from what was found, cut where too long, and carried through JSON?"""

from picdeed.core.ids import sha256
from picdeed.core.limits import Limits
from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    clip,
    license_claim,
    plain_claim,
)


def test_a_licence_that_cannot_be_read_is_kept_raw_with_the_reason(catalogue):
    claim = license_claim("CC BY", ClaimSource.PERSON, catalogue.aliases)
    assert claim.raw == "CC BY"
    assert claim.parsed is None
    assert claim.status is ClaimStatus.UNPARSED
    assert "no exact licence name" in claim.note


def test_claims_survive_json(catalogue):
    claim = license_claim("CC BY 4.0", ClaimSource.ITEM_METADATA, catalogue.aliases)
    assert claim.parsed == "CC-BY-4.0"
    assert Claim.from_json(claim.as_json()) == claim
    author = plain_claim(ClaimKind.AUTHOR, " Ada ", ClaimSource.EMBEDDED_EXIF, parser="exif/1")
    assert (author.raw, author.parsed) == (" Ada ", "Ada")
    assert Claim.from_json(author.as_json()) == author


def test_a_cut_text_is_bound_by_the_hash_of_the_whole():
    long = "é\ud800" * 50
    cut = clip(long, Limits(caption_chars=10))
    assert cut.startswith(long[:10])
    assert sha256(long.encode("utf-8", "surrogatepass")) in cut
    assert clip("short", Limits(caption_chars=10)) == "short"
