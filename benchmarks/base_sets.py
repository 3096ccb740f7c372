"""Which picture sets judge the embedded base? Pinned ones that it never learned from.

CC-BY, CC-BY-SA and MIT: they only judge or serve as styles, nothing of them ships.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from picdeed.core.errors import SourceError
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.sources import iconify

Bytes = npt.NDArray[np.uint8]


def _pin(name: str, version: str, integrity: str, licence: str) -> iconify.Package:
    full = f"@iconify-json/{name}"
    return iconify.Package(full, version, f"sha512-{integrity}", licence, "", "", name)


HIGH_CONTRAST = _pin(
    "fluent-emoji-high-contrast",
    "1.2.6",
    "esqhZPpkrF7sNX3NsLoh8KW64okEr/bzko7WNnFP+qTJGAqDPDYjp0925yxuivXy3HtVQB8xhIKu3+Nq1byX5w==",
    "MIT",
)
TEACHERS = (
    HIGH_CONTRAST,
    _pin(
        "twemoji",
        "1.2.5",
        "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
        "CC-BY-4.0",
    ),
    _pin(
        "emojione",
        "1.2.3",
        "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
        "CC-BY-4.0",
    ),
    _pin(
        "openmoji",
        "1.2.29",
        "vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ==",
        "CC-BY-SA-4.0",
    ),
)
STRANGER = _pin(
    "emojione-v1",
    "1.2.3",
    "UjI2VQEXVtGlPBvQuxEizro7QCgBcJDOYwKUupquvvZ8UV4xOlvm45IU82JYWegiAWLerY79gFLMZ26U6Ms+ww==",
    "CC-BY-SA-4.0",
)
OTHER_NAMES = {"panda": "panda-face", "lion": "lion-face", "frog": "frog-face"}


def draw(
    package: iconify.Package, wanted: Mapping[str, str], work: Path
) -> dict[str, npt.NDArray[np.uint8]]:
    """RGBA pictures by class: `wanted` maps icon names to classes; names a set lacks are left."""
    import resvg_py

    path = iconify.fetch([package], work / "cache")[package.name]
    icons = iconify.read_set(package, path)
    found = {}
    for icon, label in wanted.items():
        try:
            svg = iconify.svg_of(icons, icon)
        except SourceError:
            continue
        png = resvg_py.svg_to_bytes(svg_string=svg, width=128, height=128, skip_system_fonts=True)
        found.setdefault(label, np.asarray(Image.open(BytesIO(bytes(png))).convert("RGBA")))
    return found


def names(recipe: recipes.Recipe) -> dict[str, str]:
    """Icon name -> class, for the sets with the common names: concepts first, then others."""
    table = {concept["icon"]: concept["word"] for concept in recipe.tables["concepts"]}
    table |= {OTHER_NAMES[word]: word for word in OTHER_NAMES}
    return table | {icon: f"+{icon}" for icon in recipe.tables["breadth"]["icons"]}


def real(recipe: recipes.Recipe, work: Path) -> dict[str, dict[str, npt.NDArray[np.uint8]]]:
    """Set -> concept -> RGBA of real pictures that the judge never saw."""
    found = {}
    for table in recipe.tables["packages"]:
        package = iconify.Package(**table)
        wanted = {}
        for concept in recipe.tables["concepts"]:
            wanted[concept.get("icons", {}).get(package.set, concept["icon"])] = concept["word"]
        found[package.set] = draw(package, wanted, work)
    known = {icon: word for icon, word in names(recipe).items() if word[0] != "+"}
    found["emojione-v1 (seen by neither)"] = draw(STRANGER, known, work)
    return found
