"""Does every file import only what its layer may, and does importing picdeed stay cheap?

The layers, top to bottom; a package may import any package below it, never a sibling:

    cli, dashboard                                              edges
    jobs, report, exports                                       side doors
    flow                                                        the stages
    sources, registry, rights, imaging, diffusion, credentials  packages that do not know each other
    core

One exception: registry may use rights' types.
"""

from __future__ import annotations

import ast
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "platform" / "picdeed"

LEVELS = [
    {"core"},
    {"sources", "registry", "rights", "imaging", "diffusion", "credentials"},
    {"flow"},
    {"jobs", "report", "exports"},
    {"cli", "dashboard"},
]
EXCEPTIONS = {("registry", "rights")}
# Not in a layer: the entry point, and helpers that tests of users need (they import lazily).
TOP = {"__init__", "__main__", "testing"}

# Not listed: pipeline, what composes stages through it (pretrain, demo), and what stages share
# (statements, standing, targets, decided, notices, pins ...).
STAGES = {
    "init", "ingest", "license", "dedup", "snapshot", "gate", "train", "generate", "credential",
    "verify", "lineage", "audit", "revoke", "signals", "claims", "grants", "approve", "remove",
    "why", "facts", "watch", "tombstones", "erase", "models",
}  # fmt: skip

# Which places may import a library at all. A place is a package or one file of it.
HOMES = {
    "torch": {"diffusion"},
    "diffusers": {"diffusion"},
    "transformers": {"diffusion"},
    "tokenizers": {"diffusion"},
    "peft": {"diffusion"},
    "mlflow": {"diffusion"},
    "tensorboard": {"diffusion"},
    "accelerate": {"diffusion"},
    "safetensors": {"diffusion"},
    "datasets": {"diffusion"},
    "c2pa": {"credentials"},
    "protego": {"rights"},
    "warcio": {"sources"},
    "cv2": {"imaging"},
    "simplejpeg": {"imaging"},
    "numba": {"imaging"},
    "streamlit": {"dashboard"},
    "sqlalchemy": {"registry", "migrations"},
    "sqlite3": {"registry"},
    "alembic": {"registry", "migrations"},
    "resvg_py": {"sources/iconify.py"},
    "imagehash": {"imaging"},
    "debian_inspector": {"sources"},
    "license_expression": {"rights"},
    "rdflib": {"rights"},
    "defusedxml": {"rights"},
    "rfc8785": {"core"},
    "typer": {"cli"},
    "rich": {"cli"},
}
NEVER = {"torchvision", "pickle", "dill", "exiv2", "debian", "pymerkle"}
# rights is pure: facts in, verdict out.
IMPURE = {
    "sqlite3",
    "socket",
    "urllib",
    "http",
    "requests",
    "httpx",
    "time",
    "random",
    "subprocess",
}
HEAVY = {"torch", "diffusers", "transformers", "peft", "datasets", "streamlit", "c2pa", "sqlalchemy",
         "alembic", "pyarrow", "scipy", "pandas", "rdflib"}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One import of `module` at `line` of the file `path` (relative to the root)."""

    path: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def python_files(*folders: str) -> list[Path]:
    return [
        file
        for folder in folders
        for file in sorted((ROOT / folder).rglob("*.py"))
        if "__pycache__" not in file.parts
    ]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place_of(path: Path) -> str:
    """`core`, `cli`, `dashboard`, `migrations`, or the stem of a file that lies beside them."""
    inside = path.relative_to(ROOT)
    if inside.parts[0] != "platform":
        return inside.parts[0]
    return inside.parts[2] if len(inside.parts) > 3 else inside.stem


def module_of(path: Path) -> list[str]:
    """The dotted name of the *package* that a file of ours lies in, for relative imports."""
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return parts[:-1]


def imports_of(path: Path, tree: ast.Module) -> list[Import]:
    """Every import, also those inside functions, under TYPE_CHECKING and by import_module."""
    shown = path.relative_to(ROOT).as_posix()
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module_of(path)
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            # `from picdeed import flow` names a package by its last word.
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args:
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            first = node.args[0]
            if (
                name in {"import_module", "__import__"}
                and isinstance(first, ast.Constant)
                and isinstance(first.value, str)
            ):
                names = [first.value]
        found += [Import(shown, node.lineno, name) for name in names]
    return found


def all_imports(*folders: str) -> list[tuple[Path, Import]]:
    return [
        (path, found) for path in python_files(*folders) for found in imports_of(path, parse(path))
    ]


def allowed(place: str) -> set[str]:
    """The packages that `place` may import, itself included."""
    for level, packages in enumerate(LEVELS):
        if place in packages:
            below = set().union(*LEVELS[:level])
            return below | {place} | {b for a, b in EXCEPTIONS if a == place}
    return set()


def strays(pairs: list[tuple[Path, Import]]) -> list[Import]:
    """Imports of picdeed's own packages that the layers do not allow."""
    found = []
    for path, imported in pairs:
        place = place_of(path)
        words = imported.module.split(".")
        if words[0] != "picdeed" or place in TOP or len(words) < 2:
            continue
        target = words[1]
        known = set().union(*LEVELS)
        if target in known and target not in allowed(place):
            found.append(imported)
    return found


def homeless(pairs: list[tuple[Path, Import]]) -> list[Import]:
    """Imports of a library outside the places that own it."""
    found = []
    for path, imported in pairs:
        library = imported.module.split(".")[0]
        inside = path.relative_to(ROOT).as_posix().removeprefix("platform/picdeed/")
        homes = HOMES.get(library)
        outside = homes is not None and place_of(path) not in homes and inside not in homes
        if library in NEVER or (outside and place_of(path) not in TOP):
            found.append(imported)
    return found


def read_as(where: str, source: str) -> list[tuple[Path, Import]]:
    """A made-up file's imports, to prove that the rules can fail."""
    path = ROOT / where
    return [(path, found) for found in imports_of(path, ast.parse(source))]


def test_layers():
    assert not [str(i) for i in strays(all_imports("platform", "dashboard"))]


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("platform/picdeed/core/x.py", "from picdeed.rights import verdict"),
        ("platform/picdeed/sources/x.py", "import picdeed.imaging.decode"),
        ("platform/picdeed/rights/x.py", "from picdeed.registry.claims import Claim"),
        ("platform/picdeed/imaging/x.py", "def f():\n    from picdeed import flow"),
        ("platform/picdeed/rights/signals/x.py", "from ...imaging import decode"),
        (
            "platform/picdeed/registry/x.py",
            "import importlib\nimportlib.import_module('picdeed.flow.gate')",
        ),
        ("platform/picdeed/flow/x.py", "from picdeed.cli import app"),
        ("platform/picdeed/jobs/x.py", "from picdeed.exports import spdx"),
        ("platform/picdeed/cli/x.py", "from picdeed import dashboard"),
    ],
)
def test_a_stray_import_would_be_found(where, source):
    assert strays(read_as(where, source))


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("platform/picdeed/registry/x.py", "from picdeed.rights.verdict import Use"),
        ("platform/picdeed/flow/x.py", "from picdeed.registry import pictures"),
        ("platform/picdeed/rights/signals/x.py", "from ..verdict import Use"),
        ("dashboard/picdeed_ui/x.py", "from picdeed.flow import gate"),
    ],
)
def test_what_the_layers_allow_passes(where, source):
    assert not strays(read_as(where, source))


def test_every_package_has_a_layer():
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert packages <= set().union(*LEVELS), "a new package needs its place in LEVELS"
    assert {path.stem for path in PACKAGE.glob("*.py")} <= TOP


def test_each_library_lives_in_one_place():
    assert not [str(i) for i in homeless(all_imports("platform", "dashboard", "migrations"))]


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("platform/picdeed/flow/x.py", "import torch"),
        ("platform/picdeed/cli/x.py", "from sqlalchemy.orm import Session"),
        ("dashboard/picdeed_ui/x.py", "import sqlalchemy as sa"),
        ("platform/picdeed/flow/x.py", "import c2pa"),
        ("platform/picdeed/sources/folder.py", "import resvg_py"),
        ("platform/picdeed/cli/x.py", "def f():\n    import streamlit"),
        ("platform/picdeed/diffusion/x.py", "import torchvision.transforms"),
    ],
)
def test_a_library_outside_its_home_would_be_found(where, source):
    assert homeless(read_as(where, source))


def test_stages_are_composed_only_by_the_pipeline():
    found = []
    for path, imported in all_imports("platform/picdeed/flow"):
        words = imported.module.split(".")
        if words[:2] == ["picdeed", "flow"] and path.stem in STAGES and len(words) > 2:
            other = words[2]
            if other != path.stem and other in STAGES | {"pipeline"}:
                found.append(str(imported))
    assert not found


def test_rights_are_pure():
    found = [
        str(i)
        for _, i in all_imports("platform/picdeed/rights")
        if i.module.split(".")[0] in IMPURE
    ]
    for path in python_files("platform/picdeed/rights"):
        found += [
            f"{path.name}:{node.lineno} reads the clock"
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
        ]
    assert not found


def opens_pictures(tree: ast.Module) -> list[int]:
    """Lines that call Pillow's `Image.open`."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "open"
        and getattr(node.func.value, "id", "") == "Image"
    ]


def test_foreign_picture_bytes_are_decoded_only_in_imaging():
    """`Image.open` is where hostile bytes get in; the limits stand before it in imaging.

    diffusion opens blobs of a snapshot: these passed imaging when they were registered.
    """
    assert opens_pictures(ast.parse("from PIL import Image\nImage.open(path)"))
    found = {
        path.relative_to(ROOT).as_posix()
        for path in python_files("platform", "dashboard")
        if place_of(path) not in {"imaging", "diffusion"} and opens_pictures(parse(path))
    }
    assert not found


def test_platform_never_becomes_a_package():
    assert not (ROOT / "platform" / "__init__.py").exists()
    done = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.python_version())"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == platform.python_version()


def loaded_by(code: str) -> set[str]:
    """Top-level modules in sys.modules after `code` ran in a fresh interpreter."""
    program = (
        f"import sys\nsys.path.insert(0, {str(ROOT / 'platform')!r})\n{code}\n"
        "print('LOADED', *sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stderr.rpartition("LOADED")[2].split())


def test_importing_picdeed_is_light():
    assert not loaded_by("import picdeed") & (HEAVY | {"pydantic", "typer", "rich", "numpy"})


def test_help_is_light():
    loaded = loaded_by(
        "sys.argv = ['picdeed', '--help']\n"
        "from picdeed.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )
    assert "picdeed" in loaded
    assert not loaded & HEAVY
