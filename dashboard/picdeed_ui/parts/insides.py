"""How do words reach the picture, and what are latents? Sections 5 and 6."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from picdeed.diffusion.inside.heat import laid_over
from picdeed.flow import inside
from picdeed_ui.parts.lesson import answer, opening, took
from picdeed_ui.parts.plates import Plate, plates, side

if TYPE_CHECKING:
    from picdeed.diffusion.inside.views import Attention, Channel, Channels, Word
    from picdeed_ui.parts.lesson import Lesson

FACTORS = {0.0: "taken away (0)", 2.0: "doubled (2)", -1.0: "turned round (-1)"}


def attention(lesson: Lesson) -> None:
    """5. Where each word of the prompt is read."""
    opening(
        "5. Words",
        "A text encoder turns each piece of a word into a row of numbers. In the network's "
        "cross-attention layers every place of the picture asks (Q) all of them (K) and shares its "
        "attention out among them. Below, the picture is lit where a word got most of it. The "
        "encoder reads from left to right: a word knows only what stands before it, and what "
        "follows the last word knows all of them. So the padding is no emptiness, and much is "
        "read there. The start mark knows nothing; it is where to look when no word is needed.",
        r"A=\operatorname{softmax}\!\left(\frac{QK^{\top}}{\sqrt d}\right)",
        (
            "Vaswani et al. 2017, arXiv 1706.03762",
            "in latent diffusion: Rombach et al. 2022, arXiv 2112.10752",
            "such maps: Hertz et al. 2022, arXiv 2208.01626",
        ),
    )
    seen: Attention | None = answer("attention", "Read along", inside.attention, lesson)
    if seen is None:
        return
    words_read = [word for word in seen.words if word.role == "word"]
    marks = [word for word in seen.words if word.role != "word"]
    plates(
        [Plate((seen.picture,), "the picture"), *(_read(seen, word) for word in words_read)],
        width="8rem",
    )
    side("Marks around the words")
    plates((_read(seen, word) for word in marks), width="8rem")
    fields = " and ".join(f"{one} x {one}" for one in sorted(set(seen.sides)))
    took(
        seen.seconds,
        f"Averaged over {len(seen.sides)} layers (maps of {fields} places), their heads and all "
        "steps. Each map spans its own range: it tells where, the figure tells how much. A map "
        "shows what was read, not what it caused.",
    )


def channels(lesson: Lesson) -> None:
    """6. The latents' channels and what each is worth."""
    opening(
        "6. Latents",
        "All of this happens not among pixels but among far fewer numbers, which an autoencoder "
        "learned to pack pictures into: E packs, D unpacks. Above, each channel as a map (black "
        "negative, white positive). Below, the picture unpacked when this channel alone is "
        "changed. No channel is a colour or a shape: each mixes some of both.",
        r"z=\mathcal E(x),\qquad\hat x=\mathcal D(z)",
        (
            "Kingma and Welling 2013, arXiv 1312.6114",
            "Rombach et al. 2022, arXiv 2112.10752",
        ),
    )
    factor = st.segmented_control(
        "The channel is", list(FACTORS), default=0.0, format_func=FACTORS.__getitem__
    )
    seen: Channels | None = answer(
        "channels", "Unpack", inside.channels, lesson, 0.0 if factor is None else float(factor)
    )
    if seen is None:
        return
    plates(map(_channel, seen.channels))
    plates(
        [
            Plate((seen.picture,), "drawn"),
            Plate((seen.decoded,), "packed, unpacked", "all channels as they are"),
        ],
        columns=2,
    )
    pixels = seen.picture.width * seen.picture.height * 3
    packed = seen.side**2 * len(seen.channels)
    took(
        seen.seconds,
        f"{pixels:,} numbers of the picture in {packed:,}, {len(seen.channels)} channels of "
        f"{seen.side} x {seen.side}.",
    )


def _read(seen: Attention, word: Word) -> Plate:
    count = len(word.tokens)
    note = f"{100 * word.share:.0f} % of the attention"
    if count > 1:
        note += f", {count} pieces"
    return Plate(
        (laid_over(seen.picture, word.map),), word.text, note, f"where {word.text} was read"
    )


def _channel(one: Channel) -> Plate:
    return Plate(
        (one.map, one.without), f"channel {one.number + 1}", f"changes {one.apart:.0f} shades"
    )
