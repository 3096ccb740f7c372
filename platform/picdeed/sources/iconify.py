"""How do openly licensed glyphs become pictures? npm's iconify sets, pinned, checked and drawn.

A set is one npm package whose `icons.json` holds SVG bodies. The recipe pins name, version and
npm's sha512, so the same recipe draws the same bytes wherever resvg is the same version. Only
glyphs that the recipe names are drawn. Nothing is unpacked to disk: members are read from the
checked archive, so that no path in a foreign archive can reach the file system.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from picdeed.core import limits
from picdeed.core.errors import IntegrityError, MissingPart, SourceError, UsageError
from picdeed.core.events import Progress, silent

SIDE = 128
"""Pixels of a drawn picture's side: the side that the base model paints."""

_FETCH_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned set. `integrity` is npm's `sha512-` and base64; `license` is SPDX."""

    name: str
    version: str
    integrity: str
    license: str
    author: str
    source_url: str
    set: str


@dataclass(frozen=True, slots=True)
class Glyph:
    """One picture to draw: icon `icon` of package `package`.

    `concept` is the canonical word of a concept that the base learns to paint; empty for
    pictures that only teach the autoencoder.
    """

    package: str
    icon: str
    title: str
    caption: str
    concept: str


def plan(recipe: Mapping[str, Any]) -> tuple[list[Package], list[Glyph]]:
    """The packages and glyphs that a parsed pretraining recipe asks for, in a fixed order.

    Reads the recipe's tables `packages`, `concepts` (`word`, `icon`, optional `icons` with one
    set's other name, or "" where the set has none), `breadth` and `skip` ("set/icon").
    """
    packages = [Package(**table) for table in recipe["packages"]]
    skip = set(recipe.get("skip", ()))
    glyphs = []
    for package in packages:
        for concept in recipe["concepts"]:
            icon = concept.get("icons", {}).get(package.set, concept["icon"])
            if icon and f"{package.set}/{icon}" not in skip:
                title = concept["icon"].replace("-", " ")
                glyphs.append(Glyph(package.name, icon, title, concept["word"], concept["word"]))
        if package.set in recipe["breadth"]["sets"]:
            for icon in recipe["breadth"]["icons"]:
                if f"{package.set}/{icon}" not in skip:
                    title = icon.replace("-", " ")
                    glyphs.append(Glyph(package.name, icon, title, title, ""))
    return packages, glyphs


def fetch(packages: Iterable[Package], cache: Path, progress: Progress = silent) -> dict[str, Path]:
    """The checked archive of each package by its name; fetched by npm where `cache` lacks it.

    Raises MissingPart without npm, SourceError when npm fails, IntegrityError when the bytes
    are not the pinned ones (a wrong file in the cache is left where it is, to be looked at).
    """
    wanted = list(packages)
    cache.mkdir(parents=True, exist_ok=True)
    found = {}
    for done, package in enumerate(wanted):
        progress("fetch", done, len(wanted))
        path = cache / _archive_name(package)
        if not path.is_file():
            _pack(package, cache)
        if not path.is_file():
            raise SourceError(f"npm pack {package.name}@{package.version} left no {path.name}.")
        check_integrity(path, package.integrity)
        found[package.name] = path
    progress("fetch", len(wanted), len(wanted))
    return found


def check_integrity(path: Path, integrity: str) -> None:
    """Raises IntegrityError unless the file has npm's `sha512-...` (SRI, W3C 2016)."""
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if integrity != f"sha512-{digest}":
        raise IntegrityError(
            f"{path} is not the package that the recipe pins; nothing was drawn.",
            hint=f"Delete {path} to fetch it again; if it stays wrong, do not use it.",
        )


def draw(
    glyphs: Sequence[Glyph],
    packages: Sequence[Package],
    archives: Mapping[str, Path],
    folder: Path,
    progress: Progress = silent,
) -> list[dict[str, str]]:
    """Draws each glyph as a 128 px RGBA PNG into `folder`, with a `metadata.jsonl` beside them.

    Returns the rows of the table. Raises SourceError when a set lacks a glyph or declares
    another licence than the recipe, UsageError when two glyphs would get one file name.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise MissingPart(
            "Drawing glyphs needs resvg-py.", hint="pip install 'picdeed[train]'"
        ) from error
    by_name = {package.name: package for package in packages}
    sets = {name: read_set(by_name[name], path) for name, path in archives.items()}
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, str]] = {}
    for done, glyph in enumerate(glyphs):
        if done % 50 == 0:
            progress("draw", done, len(glyphs))
        package = by_name[glyph.package]
        file_name = f"{package.set}-{glyph.icon}.png"
        if file_name in rows:
            raise UsageError(f"The recipe asks for {file_name} twice.")
        svg = svg_of(sets[glyph.package], glyph.icon)
        # Bundled fonts only, that is none: text would be drawn differently on each machine.
        png = resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE, skip_system_fonts=True)
        (folder / file_name).write_bytes(bytes(png))
        rows[file_name] = {
            "file_name": file_name,
            "license": package.license,
            "author": package.author,
            "source_url": package.source_url,
            "title": f"{glyph.title} ({package.name} {package.version})",
            "caption": glyph.caption,
            "concept": glyph.concept,
            "set": package.set,
        }
    table = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())
    (folder / "metadata.jsonl").write_text(table, encoding="utf-8")
    progress("draw", len(glyphs), len(glyphs))
    return list(rows.values())


def svg_of(icons: Mapping[str, Any], icon: str) -> str:
    """The whole SVG of one icon of a parsed `icons.json`.

    Format: https://iconify.design/docs/types/iconify-json.html (an icon overrides its set's
    left, top, width and height). Aliases are not followed: a recipe names the icon itself.
    """
    try:
        body = icons["icons"][icon]
    except KeyError:
        raise SourceError(f"The set {icons.get('prefix')!r} has no icon {icon!r}.") from None
    box = [body.get(key, icons.get(key, default)) for key, default in _BOX.items()]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{SIDE}" height="{SIDE}" viewBox="{" ".join(str(side) for side in box)}">'
        f"{body['body']}</svg>"
    )


_BOX = {"left": 0, "top": 0, "width": 16, "height": 16}


def describe(packages: Iterable[Package]) -> list[dict[str, str]]:
    """The pins as plain values, for a deed."""
    return [asdict(package) for package in packages]


def _archive_name(package: Package) -> str:
    return f"{package.name.removeprefix('@').replace('/', '-')}-{package.version}.tgz"


def _pack(package: Package, cache: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingPart(
            f"{package.name}@{package.version} is not in {cache} and there is no npm to fetch it.",
            hint="Install npm, or copy the package's .tgz into that folder.",
        )
    command = [npm, "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"]
    try:
        result = subprocess.run(
            [*command, "--pack-destination", str(cache)],
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"npm did not fetch {package.name} in {_FETCH_SECONDS} s.") from None
    if result.returncode:
        said = [line for line in result.stderr.splitlines() if "error" in line.lower()]
        raise SourceError(
            f"npm could not fetch {package.name}@{package.version}: {' '.join(said)[:500]}",
            hint="Check the network and `npm config get registry`, then run it again.",
        )


def read_set(package: Package, path: Path) -> dict[str, Any]:
    """The parsed `icons.json` of a checked archive; SourceError when its licence is another."""
    with tarfile.open(path, "r:gz") as archive:
        icons = _member(archive, path, "package/icons.json")
        info = _member(archive, path, "package/info.json")
    declared = info.get("license", {}).get("spdx")
    if declared != package.license:
        raise SourceError(
            f"{package.name} declares the licence {declared!r}, the recipe {package.license!r}."
        )
    return icons


def _member(archive: tarfile.TarFile, path: Path, name: str) -> dict[str, Any]:
    try:
        member = archive.getmember(name)
    except KeyError:
        raise SourceError(f"{path} holds no {name}.") from None
    stream = archive.extractfile(member)
    if stream is None or member.size > limits.DEFAULT.metadata_bytes:
        raise SourceError(f"{name} in {path} is no readable file.")
    value = json.loads(stream.read())
    if not isinstance(value, dict):
        raise SourceError(f"{name} in {path} is no JSON object.")
    return value
