"""Is the answer the smallest set, compared with trying every subset?"""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.drop import Part, smallest_drop

releases = st.one_of(st.none(), st.frozensets(st.sampled_from("ABC"), max_size=3))
shapes = st.lists(st.tuples(st.integers(1, 2), st.booleans(), releases), min_size=1, max_size=5)


def parts_of(shape):
    ids = iter("abcdefghijklmnop")
    return [
        Part(tuple(next(ids) for _ in range(size)), passes, release)
        for size, passes, release in shape
    ]


def passes(parts, removed, base):
    left = [part for part in parts if set(part.pictures) - set(removed)]
    bound = [part.release for part in left if part.release is not None]
    bound += [base] if base is not None else []
    common = not bound or bool(frozenset.intersection(*bound))
    return bool(left) and all(part.passes for part in left) and common


def brute_force(parts, base):
    everything = [picture for part in parts for picture in part.pictures]
    for size in range(len(everything)):
        if any(passes(parts, removed, base) for removed in combinations(everything, size)):
            return size
    return None


@given(shapes, st.one_of(st.none(), st.frozensets(st.sampled_from("ABC"), min_size=1)))
def test_it_lifts_and_nothing_smaller_does(shape, base):
    parts = parts_of(shape)
    drop = smallest_drop(parts, base)
    size = brute_force(parts, base)
    if drop is None:
        assert size is None
        return
    assert len(drop) == size
    assert passes(parts, drop, base)
    assert list(drop) == sorted(set(drop))


def test_the_smaller_camp_goes():
    one, two = frozenset({"A"}), frozenset({"B"})
    parts = [Part(("x", "y"), True, one), Part(("z",), True, two), Part(("free",), True, None)]
    assert smallest_drop(parts, None) == ("z",)
    assert smallest_drop(parts, frozenset({"B"})) == ("x", "y")


def test_nothing_left_is_none():
    assert smallest_drop([Part(("x",), False, None)], None) is None
    assert smallest_drop([], None) is None
