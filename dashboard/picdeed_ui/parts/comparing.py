"""How do two pictures compare: to the eye, in their facts, and in what was measured?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.imaging.verify import PairKind
from picdeed.rights.claims import ClaimKind
from picdeed_ui import data
from picdeed_ui.laid import laid_over, seen
from picdeed_ui.parts.gallery import picture_title
from picdeed_ui.parts.words import facts, problem, text, words
from picdeed_ui.serving import file_url, laid_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from picdeed.registry.claims import PictureClaim
    from picdeed.registry.pictures import PictureView
    from picdeed_ui.laid import Laid, Seen

LEFT, RIGHT = "Left", "Right"
_HERE = Path(__file__).parent
# Registered once for the whole server: a second registration under this name would warn.
_stage = st.components.v2.component(
    "picdeed_comparing",
    css=(_HERE / "comparing.css").read_text(encoding="utf-8"),
    js=(_HERE / "comparing.js").read_text(encoding="utf-8"),
)
SAID = {
    "ways": {
        "side": "Side by side",
        "over": "Laid over",
        "difference": "Difference",
        "blink": "Blink",
    },
    "boxes": "Boxes around what differs",
    "slide": "From the left picture to the right one",
    "difference": "What differs between the two pictures",
    "faint": "faint",
    "strong": "strong",
    "heat": "One brightness and one contrast for the whole picture are allowed for; colours are "
    "not. Paper: where the other picture does not reach.",
    "hold": "Hold",
    "goon": "Blink",
    "other": "Show the other",
}
KINDS = {
    PairKind.SAME_PIXELS: "the same pixels",
    PairKind.NEAR: "one picture, as far as pixels say",
    PairKind.CROP_OF: "the left one is a part of the right one",
    PairKind.CONTAINS: "the left one contains the right one",
    PairKind.VARIANT: "one drawing in two colourings, as far as pixels say",
    PairKind.RELATED: "related, not more",
    PairKind.UNRELATED: "nothing in common that could be found",
}


def shown(left: PictureView, right: PictureView) -> Seen | None:
    """Both pictures, to look at; what is known of them. None where their bytes are gone."""
    try:
        found = seen(left.picture.id, right.picture.id)
        laid = laid_over(left.picture.id, right.picture.id)
    except PicdeedError as error:
        problem(error)
        found, laid = None, None
    first = _side(left, LEFT, laid.boxes if laid else ())
    second = _side(right, RIGHT, laid.boxes_second if laid else ())
    told = {"first": first, "second": second, "laid": None, "words": SAID}
    if laid is not None:
        told["laid"] = _laid(left, right, laid)
    _stage(data=told, key="comparing")
    if found is not None and laid is None:
        words("note", "No place is known where one lies on the other: look at them side by side.")
    return found


def _side(view: PictureView, place: str, boxes: Sequence[tuple[float, ...]]) -> dict[str, Any]:
    picture = view.picture
    return {
        "src": file_url(picture.sha256),
        "title": picture_title(view),
        "place": place,
        "width": picture.width,
        "height": picture.height,
        "boxes": [list(box) for box in boxes],
    }


def _laid(left: PictureView, right: PictureView, laid: Laid) -> dict[str, Any]:
    return {
        **{
            name: laid_url(left.picture.sha256, right.picture.sha256, name, laid.version)
            for name in laid.pictures
        },
        "width": laid.width,
        "height": laid.height,
        "outline": [list(point) for point in laid.outline],
        "fills": laid.fills_frame,
    }


def in_facts(left: PictureView, right: PictureView) -> None:
    """What is on record about both, line by line; where they differ is marked."""
    both = (left, right)
    claims = data.claims_in_force([view.picture.id for view in both])
    said = [claims.get(view.picture.id, []) for view in both]
    lines = [
        ("Licence claimed", *(_claimed(rows, ClaimKind.LICENSE) for rows in said)),
        ("Holder", *(_claimed(rows, ClaimKind.HOLDER, ClaimKind.AUTHOR) for rows in said)),
        ("Opt-out", *(_claimed(rows, ClaimKind.OPT_OUT) for rows in said)),
        ("Size", *(f"{view.picture.width} x {view.picture.height} px" for view in both)),
        ("File", *(f"{view.picture.media_type}, {view.picture.bytes:,} bytes" for view in both)),
        ("First seen", *(view.picture.first_seen[:16].replace("T", " ") for view in both)),
        ("Datasets", *(", ".join(view.datasets) or "none" for view in both)),
        ("Seen as", *(", ".join(view.paths[:3]) or "unknown" for view in both)),
        ("State", *(view.picture.state for view in both)),
    ]
    head = f"<th></th><th>{text(LEFT.lower())}</th><th>{text(RIGHT.lower())}</th>"
    names = "".join(
        f'<td><a href="browse?picture={text(view.picture.id)}">{text(picture_title(view))}</a></td>'
        for view in both
    )
    body = f'<tr><td class="pd-what">Picture</td>{names}</tr>'
    for what, one, other in lines:
        if what in ("Opt-out", "State") and one == other and one in ("none", "good"):
            continue
        look = ' class="pd-differs"' if one != other else ""
        body += f'<tr{look}><td class="pd-what">{text(what)}</td>'
        body += f"<td>{text(one)}</td><td>{text(other)}</td></tr>"
    st.html(
        f'<div class="pd-scroll"><table class="pd-table pd-two"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _claimed(rows: Sequence[PictureClaim], *kinds: ClaimKind) -> str:
    """What is claimed of these kinds, as it was read."""
    found = [row.parsed or row.raw for row in rows if row.kind in kinds]
    return ", ".join(dict.fromkeys(found)) or "none"


def measured(found: Seen) -> None:
    """What was measured about the two, in words."""
    facts(in_words(found))
    if not found.recorded:
        words("note", "Nobody had compared these two; it was done for this page, and not recorded.")


def in_words(found: Seen) -> list[tuple[str, str]]:
    """The evidence as names and values: the kind, the edit, the place, the blocks."""
    told = found.evidence
    lines = [("They are", KINDS[found.kind])]
    if told.get("edit"):
        lines.append(("It looks like", str(told["edit"])))
    if found.kind is PairKind.SAME_PIXELS:
        return [*lines, ("Measured", "every pixel is the same; only the files differ")]
    lines.append(("Distance", f"{found.distance:.4f} (0 is the same, 1 is as far as can be)"))
    corners = int(told.get("inliers", 0))
    if corners:
        lines.append(("Placed by", f"{corners} corners that lie alike in both"))
    elif "blocks" in told:
        lines.append(("Placed by", "small views of both, laid on one another"))
    if told.get("blocks"):
        share, blocks = 100 * float(told["share"]), int(told["blocks"])
        lines.append(("Blocks", f"{share:.0f} % of {blocks:,} compared blocks agree"))
    elif "blocks" in told:
        lines.append(("Blocks", "none had anything to compare"))
    if found.overlap is not None:
        on_left, on_right = (100 * share for share in found.overlap)
        lines.append(
            ("Cover", f"{on_left:.0f} % of the left one, {on_right:.0f} % of the right one")
        )
    parts = len(told.get("parts", ()))
    if parts:
        lines.append(("Parts that differ", f"{parts}, in the boxes above"))
    if "colours-differ" in told.get("review", ()) and "colour_left" in told:
        left = 100 * float(told["colour_left"])
        lines.append(("Colours", f"{left:.0f} % apart at most, saturation allowed for"))
    return lines
