"""Pinned glyph sets: what a recipe asks for, what is refused, what is drawn."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from picdeed.core.errors import IntegrityError, MissingPart, SourceError
from picdeed.sources import iconify

ICONS = {
    "prefix": "toy",
    "width": 32,
    "height": 32,
    "icons": {
        "red-apple": {"body": '<circle cx="16" cy="16" r="14" fill="#d00"/>'},
        "wide": {"body": '<path fill="#00d" d="M0 0h64v32H0z"/>', "width": 64},
    },
}


@pytest.fixture
def package(tmp_path: Path) -> iconify.Package:
    """A toy set in `tmp_path/cache`, under its name and integrity."""
    cache = tmp_path / "cache"
    cache.mkdir()
    archive = cache / "toy-set-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        for name, value in {"icons": ICONS, "info": {"license": {"spdx": "MIT"}}}.items():
            data = json.dumps(value).encode()
            member = tarfile.TarInfo(f"package/{name}.json")
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    return iconify.Package(
        "@toy/set", "1.0.0", f"sha512-{digest}", "MIT", "Toy", "https://example.org", "toy"
    )


def glyph(icon: str, concept: str = "") -> iconify.Glyph:
    return iconify.Glyph("@toy/set", icon, icon.replace("-", " "), "apple", concept)


def test_draws_the_same_bytes_twice_with_a_table(tmp_path: Path, package: iconify.Package) -> None:
    pytest.importorskip("resvg_py")
    from PIL import Image

    archives = iconify.fetch([package], tmp_path / "cache")
    glyphs = [glyph("red-apple", "apple"), glyph("wide")]
    one = iconify.draw(glyphs, [package], archives, tmp_path / "one")
    two = iconify.draw(glyphs, [package], archives, tmp_path / "two")
    assert one == two
    for row in one:
        data = (tmp_path / "one" / row["file_name"]).read_bytes()
        assert data == (tmp_path / "two" / row["file_name"]).read_bytes()
    table = (tmp_path / "one" / "metadata.jsonl").read_text().splitlines()
    assert json.loads(table[0]) == one[0]
    assert (one[0]["license"], one[0]["concept"], one[0]["set"]) == ("MIT", "apple", "toy")
    apple = Image.open(tmp_path / "one" / "toy-red-apple.png")
    assert (apple.mode, apple.size) == ("RGBA", (128, 128))
    assert apple.getpixel((64, 64)) == (221, 0, 0, 255)
    assert apple.getpixel((0, 0))[3] == 0
    wide = Image.open(tmp_path / "one" / "toy-wide.png")
    # A 2:1 drawing keeps its shape: half the height, centred.
    assert wide.getpixel((64, 64))[3] == 255
    assert wide.getpixel((64, 10))[3] == 0


def test_changed_bytes_are_refused(tmp_path: Path, package: iconify.Package) -> None:
    archive = tmp_path / "cache" / "toy-set-1.0.0.tgz"
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(IntegrityError, match="not the package that the recipe pins"):
        iconify.fetch([package], tmp_path / "cache")


def test_another_licence_is_refused(tmp_path: Path, package: iconify.Package) -> None:
    pytest.importorskip("resvg_py")
    archives = iconify.fetch([package], tmp_path / "cache")
    from dataclasses import replace

    other = replace(package, license="CC0-1.0")
    with pytest.raises(SourceError, match="declares the licence 'MIT'"):
        iconify.draw([glyph("red-apple")], [other], archives, tmp_path / "out")


def test_a_missing_glyph_is_named(tmp_path: Path, package: iconify.Package) -> None:
    pytest.importorskip("resvg_py")
    archives = iconify.fetch([package], tmp_path / "cache")
    with pytest.raises(SourceError, match="no icon 'pear'"):
        iconify.draw([glyph("pear")], [package], archives, tmp_path / "out")


def test_without_npm_the_message_says_where_to_put_the_file(
    tmp_path: Path, package: iconify.Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPart, match=str(tmp_path / "empty")):
        iconify.fetch([package], tmp_path / "empty")


def test_a_plan_skips_what_the_recipe_skips() -> None:
    recipe = {
        "packages": [
            {
                "name": f"@toy/{name}", "version": "1", "integrity": "", "license": "MIT",
                "author": "", "source_url": "", "set": name,
            }
            for name in ("one", "two")
        ],
        "concepts": [
            {"word": "apple", "icon": "red-apple", "icons": {"two": "redapple"}},
            {"word": "lion", "icon": "lion", "icons": {"two": ""}},
        ],
        "breadth": {"sets": ["one"], "icons": ["book", "gem"]},
        "skip": ["one/gem"],
    }  # fmt: skip
    packages, glyphs = iconify.plan(recipe)
    assert [package.set for package in packages] == ["one", "two"]
    assert [(glyph.package, glyph.icon, glyph.concept) for glyph in glyphs] == [
        ("@toy/one", "red-apple", "apple"),
        ("@toy/one", "lion", "lion"),
        ("@toy/one", "book", ""),
        ("@toy/two", "redapple", "apple"),
    ]


def test_needs_no_torch() -> None:
    code = "import sys, picdeed.sources.iconify; assert 'torch' not in sys.modules"
    root = Path(iconify.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(root)})
