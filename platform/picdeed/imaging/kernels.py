"""Which inner loops make the search fast? Compiled by numba when first called, for this machine.

This module needs numba (`pip install picdeed[fast]`) and is imported by nobody at the top of a
file: `join` asks for it when there is enough to do, and does the same in numpy where it is absent.
Every kernel releases the GIL, so that plain threads share the work.
"""

# numba and llvmlite have no types of their own, and a kernel's arguments are its whole world.
# mypy: disable-error-code="untyped-decorator,no-any-return,assignment"

# ruff: noqa: ARG001, C901, PLR0917 -- numba passes arguments by place, and inlines by itself

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Ids = NDArray[np.int32]

LANES = 8  # words compared at once; tables are padded by as many
_EMPTY = -1


def _splat(builder: Any, vector: ir.VectorType, value: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, lanes)


@intrinsic
def _near(typing: Any, words: Any, at: Any, word: Any, most: Any) -> Any:
    """uint8: a bit for each of words[at : at + 8] that differs from `word` in <= `most` bits.

    Written out as vectors because LLVM leaves loops over buckets of a dozen words scalar; it
    lowers them to whatever the machine has (AVX-512's VPOPCNTQ, or AVX2's shuffles).
    """
    signature = types.uint8(words, types.int64, types.uint64, types.uint64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, place, wanted, limit = args
        vector = ir.VectorType(ir.IntType(64), LANES)
        data = context.make_array(signature.args[0])(context, builder, array).data
        start = builder.bitcast(builder.gep(data, [place]), vector.as_pointer())
        different = builder.xor(builder.load(start, align=8), _splat(builder, vector, wanted))
        count = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector]), f"llvm.ctpop.v{LANES}i64"
        )
        bits = builder.call(count, [different])
        hits = builder.icmp_unsigned("<=", bits, _splat(builder, vector, limit))
        return builder.bitcast(hits, ir.IntType(LANES))

    return signature, codegen


@intrinsic
def _ones(typing: Any, word: Any) -> Any:
    """int64: the bits set in a uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@njit(nogil=True, cache=False)
def first_equal(codes: Words) -> Ints:
    """int64[n]: for each code the position of the first equal one (open addressing)."""
    n, width = codes.shape
    size = 16
    while size < 2 * n:
        size *= 2
    slots = np.full(size, _EMPTY, dtype=np.int32)
    first = np.empty(n, dtype=np.int64)
    last = np.uint64(size - 1)
    for i in range(n):
        mixed = np.uint64(0)
        for w in range(width):
            mixed = (mixed ^ codes[i, w]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        mixed = mixed * np.uint64(0xBF58476D1CE4E5B9)
        at = (mixed ^ (mixed >> np.uint64(32))) & last
        while True:
            there = slots[at]
            if there == _EMPTY:
                slots[at] = i
                first[i] = i
                break
            same = True
            for w in range(width):
                if codes[there, w] != codes[i, w]:
                    same = False
            if same:
                first[i] = there
                break
            at = (at + np.uint64(1)) & last
    return first


@njit(nogil=True, cache=False)
def permuted(codes: Words, tables: Words) -> Words:
    """The codes with their bits moved: `tables` uint64[8 w, 256, w] says where a byte's bits go."""
    n, width = codes.shape
    out = np.zeros((n, width), dtype=np.uint64)
    for i in range(n):
        for w in range(width):
            word = codes[i, w]
            for byte in range(8):
                value = np.int64((word >> np.uint64(8 * byte)) & np.uint64(255))
                for o in range(width):
                    out[i, o] |= tables[8 * w + byte, value, o]
    return out


@njit(nogil=True, cache=False)
def bucketed(column: Words, shift: int, bits: int) -> tuple[Ints, Words, Ids]:
    """One word of each code, sorted by its bits shift..shift+bits (counting sort).

    Gives where each key's bucket starts (int64[2**bits + 1]), the words in that order (padded)
    and the position that each came from.
    """
    n = len(column)
    mask = np.uint64((1 << bits) - 1)
    down = np.uint64(shift)
    starts = np.zeros((1 << bits) + 1, dtype=np.int64)
    for i in range(n):
        starts[np.int64((column[i] >> down) & mask) + 1] += 1
    for k in range(1 << bits):
        starts[k + 1] += starts[k]
    free = starts[:-1].copy()
    words = np.zeros(n + LANES, dtype=np.uint64)
    ids = np.empty(n, dtype=np.int32)
    for i in range(n):
        k = np.int64((column[i] >> down) & mask)
        at = free[k]
        free[k] = at + 1
        words[at] = column[i]
        ids[at] = i
    return starts, words, ids


@njit(nogil=True, cache=False)
def _emits(one: Words, other: Words, chunks: Ints, chunk: int, radius: int) -> bool:
    """Whether two codes are near, and no chunk before this one has found them already."""
    total = 0
    for w in range(len(one)):
        total += _ones(one[w] ^ other[w])
    if total > radius:
        return False
    for c in range(chunk):
        differ = one[chunks[c, 0]] ^ other[chunks[c, 0]]
        if _ones(differ) <= chunks[c, 4]:
            key = (differ >> np.uint64(chunks[c, 1])) & np.uint64((1 << chunks[c, 2]) - 1)
            if _ones(key) <= chunks[c, 3]:
                return False
    return True


@njit(nogil=True, cache=False)
def bucket_pairs(
    left: tuple[Words, Ints, Words, Ids],
    right: tuple[Words, Ints, Words, Ids],
    itself: bool,
    chunks: Ints,
    chunk: int,
    masks: Ints,
    low_bits: int,
    radius: int,
    end: int,
    state: Ints,
    out: Ints,
) -> int:
    """Fill `out` with pairs of near codes from buckets whose keys differ by one of `masks`.

    `left` and `right` are (codes, starts, words, ids), the same for a join with itself. Keys go
    by blocks of 2**low_bits, so that two blocks at a time stay in the cache; blocks up to `end`
    are done. `state` (block, mask, key, row) says where to begin, and where to go on when `out`
    was full. Returns the number of pairs; all is done when state[0] == end.
    """
    codes_l, starts_l, words_l, ids_l = left
    codes_r, starts_r, words_r, ids_r = right
    most = np.uint64(chunks[chunk, 4])
    size = 1 << low_bits
    count, capacity = 0, len(out)
    block, m, low, row = state[0], state[1], state[2], state[3]
    while block < end:
        while m < len(masks):
            other = block ^ (masks[m] >> low_bits)
            flip = masks[m] & (size - 1)
            if itself and other < block:
                m += 1
                continue
            while low < size:
                if itself and other == block and (low ^ flip) < low:
                    low += 1
                    continue
                key, partner = block * size + low, other * size + (low ^ flip)
                start, stop = starts_r[partner], starts_r[partner + 1]
                if stop > start:
                    i = max(row, starts_l[key])
                    while i < starts_l[key + 1]:
                        if count + stop - start > capacity:
                            state[0], state[1], state[2], state[3] = block, m, low, i
                            return count
                        word = words_l[i]
                        j = i + 1 if itself and masks[m] == 0 else start
                        while j < stop:
                            hits = _near(words_r, j, word, most)
                            if hits:
                                for lane in range(min(LANES, stop - j)):
                                    if (hits >> lane) & 1 and _emits(
                                        codes_l[ids_l[i]],
                                        codes_r[ids_r[j + lane]],
                                        chunks,
                                        chunk,
                                        radius,
                                    ):
                                        out[count, 0] = ids_l[i]
                                        out[count, 1] = ids_r[j + lane]
                                        count += 1
                            j += LANES
                        i += 1
                row = 0
                low += 1
            low = 0
            m += 1
        m = 0
        block += 1
    state[0], state[1], state[2], state[3] = end, 0, 0, 0
    return count


@njit(nogil=True, cache=False)
def looked_up(
    code: Words,
    columns: Words,
    chunks: Ints,
    masks: Ints,
    mask_ends: Ints,
    starts: Ints,
    ids: Ids,
    radius: int,
) -> Ints:
    """Positions of the codes near one code, each once, in no order.

    `columns` are the codes by word, uint64[w, n], since a candidate is judged by one word;
    `starts` holds the bucket starts of all chunks one behind the other, as places in `ids`.
    """
    found = np.empty(64, dtype=np.int64)
    other = np.empty(len(code), dtype=np.uint64)
    count, base = 0, 0
    for chunk in range(len(chunks)):
        word, bits = chunks[chunk, 0], chunks[chunk, 2]
        most = chunks[chunk, 4]
        mine = code[word]
        key = np.int64((mine >> np.uint64(chunks[chunk, 1])) & np.uint64((1 << bits) - 1))
        for m in range(mask_ends[chunk], mask_ends[chunk + 1]):
            bucket = base + (key ^ masks[m])
            for at in range(starts[bucket], starts[bucket + 1]):
                there = ids[at]
                if _ones(columns[word, there] ^ mine) > most:
                    continue
                for w in range(len(code)):
                    other[w] = columns[w, there]
                if _emits(code, other, chunks, chunk, radius):
                    if count == len(found):
                        grown = np.empty(2 * count, dtype=np.int64)
                        grown[:count] = found
                        found = grown
                    found[count] = there
                    count += 1
        base += (1 << bits) + 1
    return found[:count]
