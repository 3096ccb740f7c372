"""Which pieces of words does the base know? Byte pairs learned from the recipe's word list.

The list is made of the names of whole sets, colours and common words, never of the concepts that
were chosen: a token's number must not change when a concept is added. The learning is done here
because the usual trainer breaks ties by hash order: two runs give two vocabularies.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
_TAIL = "</w>"

Pair = tuple[str, str]


def learn(words: Sequence[str], size: int, tokens: int) -> CLIPTokenizer:
    """A CLIP tokenizer of at most `size` pieces; START is 0, END and padding are 1.

    Every byte is a piece, inside a word and at its end: without the latter an unknown last
    letter would be END and cut the prompt short.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [START, END, *alphabet, *(letter + _TAIL for letter in alphabet)]
    merges = byte_pairs(words, size - len(pieces))
    pieces += ["".join(pair) for pair in merges]
    numbers = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    return CLIPTokenizer(vocab=numbers, merges=merges, model_max_length=tokens)  # type: ignore[arg-type]


def byte_pairs(words: Sequence[str], most: int) -> list[Pair]:
    """The merges, best first (Sennrich et al., 2016); ties go to the alphabetically first."""
    spelled = [[*word[:-1], word[-1] + _TAIL] for word in sorted(set(words))]
    counts: Counter[Pair] = Counter()
    where: dict[Pair, set[int]] = defaultdict(set)
    for number, pieces in enumerate(spelled):
        for pair in pairwise(pieces):
            counts[pair] += 1
            where[pair].add(number)
    merges: list[Pair] = []
    while counts and len(merges) < most:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for number in sorted(where.pop(best)):
            counts.subtract(pairwise(spelled[number]))
            spelled[number] = _joined(spelled[number], best)
            for pair in pairwise(spelled[number]):
                counts[pair] += 1
                where[pair].add(number)
        counts = +counts
    return merges


def encode(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> list[list[int]]:
    """Token numbers, padded and cut to the longest prompt, as the pipeline does it."""
    found: list[list[int]] = tokenizer(
        list(captions), padding="max_length", truncation=True
    ).input_ids
    return found


def _joined(pieces: list[str], pair: Pair) -> list[str]:
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] = "".join(pair)
        else:
            joined.append(piece)
    return joined
