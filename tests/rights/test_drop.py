"""Is the answer the smallest set, compared with trying every subset?"""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.drop import Part, smallest_drop

releases = st.one_of(st.none(), st.frozensets(st.sampled_from("ABC"), max_size=3))
shapes = st.lists(st.tuples(st.integers(1, 2), st.booleans(), releases), min_size=1, max_size=5)


def parts_of(shape):
    return [Part(size, passes, release) for size, passes, release in shape]


def passes(parts, removed, base):
    """`removed` are single pictures, as (part, number): half a part may go."""
    left = [
        p for place, p in enumerate(parts) if {(place, n) for n in range(p.size)} - set(removed)
    ]
    bound = [part.release for part in left if part.release is not None]
    bound += [base] if base is not None else []
    common = not bound or bool(frozenset.intersection(*bound))
    return bool(left) and all(part.passes for part in left) and common


def brute_force(parts, base):
    everything = [(place, n) for place, part in enumerate(parts) for n in range(part.size)]
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
    assert sum(parts[place].size for place in drop) == size
    assert passes(parts, [(place, n) for place in drop for n in range(parts[place].size)], base)
    assert list(drop) == sorted(set(drop))


def test_the_smaller_camp_goes():
    one, two = frozenset({"A"}), frozenset({"B"})
    parts = [Part(2, True, one), Part(1, True, two), Part(1, True, None)]
    assert smallest_drop(parts, None) == (1,)
    assert smallest_drop(parts, frozenset({"B"})) == (0,)


def test_nothing_left_is_none():
    assert smallest_drop([Part(1, False, None)], None) is None
    assert smallest_drop([], None) is None
