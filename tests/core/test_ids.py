"""Are names by content stable, canonical and impossible to confuse?"""

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core import ids
from picdeed.core.errors import UsageError

# RFC 8785 section 3.2.2 and 3.2.3: its own example, input and canonical output.
RFC_8785_INPUT = (
    '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
    ' "string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
    ' "literals": [null, true, false]}'
)
RFC_8785_OUTPUT = (
    b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
    b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
)

# The seven leaves that the authors of RFC 6962 test their own trees with, and their roots.
LEAVES = [
    bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    # Beyond 2^53 a whole float is written like an integer and would be refused when read again.
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1, allow_nan=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_canonical_json_gives_the_rfc_example_byte_for_byte():
    assert ids.canonical_json(json.loads(RFC_8785_INPUT)) == RFC_8785_OUTPUT


def test_keys_are_sorted_by_utf16_units_not_by_code_points():
    assert ids.canonical_json({"\ufb33": 1, "\U0001f600": 2}) == (
        '{"\U0001f600":2,"\ufb33":1}'.encode()
    )


@given(json_values)
def test_canonical_json_means_the_same_and_has_one_form(value):
    once = ids.canonical_json(value)
    assert json.loads(once) == value
    assert ids.canonical_json(json.loads(once)) == once


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9)))
def test_the_order_of_keys_never_reaches_a_hash(value):
    assert ids.hash_json(dict(reversed(value.items()))) == ids.hash_json(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53, -(2**53), {"a": [2**60]}])
def test_numbers_that_json_readers_disagree_on_are_refused(value):
    with pytest.raises(ValueError, match=r"."):
        ids.canonical_json(value)


def test_things_that_are_no_json_are_refused():
    with pytest.raises(ValueError, match=r"."):
        ids.canonical_json({"when": object()})


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_file_hashes_like_its_bytes_around_the_piece_size(tmp_path, size):
    data = bytes(i % 251 for i in range(251)) * (size // 251 + 1)
    path = tmp_path / "blob"
    path.write_bytes(data[:size])
    assert ids.sha256_file(path) == ids.sha256(data[:size])
    assert ids.sha256(data[:size]) == hashlib.sha256(data[:size]).hexdigest()


def test_ids_are_prefix_and_digest():
    assert ids.make_id("img", "ab" * 32) == "img_" + "ab" * 32
    assert ids.content_id("dec", {"a": 1}) == "dec_" + ids.hash_json({"a": 1})


def test_an_unknown_kind_of_id_cannot_be_made():
    with pytest.raises(ValueError, match="unknown id kind"):
        ids.make_id("pic", "ab" * 32)


@pytest.mark.parametrize("kind", ids.PREFIXES)
def test_whole_ids_and_prefixes_of_ids_are_split(kind):
    assert ids.split_id(f"{kind}_1f") == (kind, "1f")
    assert ids.split_id(f"{kind}_{'0' * 64}") == (kind, "0" * 64)
    assert ids.looks_like_id(f"{kind}_1f")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "img",
        "img_",
        "img-1f",
        "img_1F",
        "img_xyz",
        "pic_1f",
        " img_1f",
        "img_1f/..",
        "img_" + "0" * 65,
    ],
)
def test_what_is_no_id_is_refused_by_name(text):
    assert not ids.looks_like_id(text)
    with pytest.raises(UsageError) as refused:
        ids.split_id(text)
    assert repr(text) in refused.value.message


@pytest.mark.parametrize("size", ROOTS)
def test_merkle_roots_are_those_of_the_rfc_authors_tests(size):
    assert ids.merkle_root(LEAVES[:size]) == ROOTS[size]


def test_the_empty_tree_is_the_hash_of_nothing():
    assert ids.merkle_root([]) == hashlib.sha256(b"").hexdigest()


def by_definition(leaves):
    """RFC 6962 section 2.1 word for word: split at the largest power of two below n."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(
        b"\x01" + by_definition(leaves[:half]) + by_definition(leaves[half:])
    ).digest()


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40))
def test_merkle_root_is_the_recursive_definition(leaves):
    assert ids.merkle_root(iter(leaves)) == by_definition(leaves).hex()


def test_a_node_cannot_be_passed_off_as_a_leaf():
    left, right = (hashlib.sha256(b"\x00" + leaf).digest() for leaf in (b"a", b"b"))
    assert ids.merkle_root([left + right]) != ids.merkle_root([b"a", b"b"])


def test_order_repetition_and_split_of_leaves_all_show():
    roots = {
        ids.merkle_root(leaves)
        for leaves in ([b"a", b"b"], [b"b", b"a"], [b"ab"], [b"a", b"b", b"b"])
    }
    assert len(roots) == 4
