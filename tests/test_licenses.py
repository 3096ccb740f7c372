"""Under which licences does picdeed run? Read from what is installed, not from memory.

What picdeed needs at run time (base, `train` and `dashboard`, and what these need in turn) may
not be under the GPL or AGPL. Weak copyleft (LGPL, MPL) stays unmodified and is listed in
docs/third-party.md. A package whose licence nobody can name fails the test.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from license_expression import ExpressionError, get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LISTED = ROOT / "docs" / "third-party.md"

# "License ::" classifiers and free words in metadata, each with its one meaning in SPDX.
WORDS = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd license": "BSD-3-Clause",
    "2-clause bsd license": "BSD-2-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "isc license": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "gnu general public license (gpl)": "GPL-1.0-or-later",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
    "gnu general public license v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu affero general public license v3": "AGPL-3.0-only",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "artistic license": "Artistic-1.0-Perl",
}
# Packages that ship a licence file and no word about it in their metadata; the file was read.
READ = {"resvg-py": "MIT"}
# Come with a CUDA build of torch, under NVIDIA's own terms; never picdeed's own requirement.
OF_THE_MACHINE = re.compile(r"^(nvidia-|cuda-|triton$|pytorch-triton)")

STRONG = re.compile(r"^A?GPL-")
WEAK = re.compile(r"^(LGPL|MPL|EPL|CDDL|EUPL)-")
licensing = get_spdx_licensing()


def is_spdx(text: str) -> bool:
    """Whether text is an SPDX expression of known licences, and no sentence about one."""
    try:
        parsed = licensing.parse(text)
    except ExpressionError:
        return False
    return parsed is not None and not licensing.unknown_license_keys(parsed)


def license_of(distribution: importlib.metadata.Distribution) -> str:
    """An SPDX expression; empty when the metadata names none that we can read."""
    name = canonicalize_name(distribution.name)
    told = distribution.metadata
    if name in READ:
        return READ[name]
    for stated in (told.get("License-Expression"), told.get("License")):
        if stated and is_spdx(stated.strip()):
            return stated.strip()
    classified = [
        value.rpartition("::")[2].strip().lower()
        for value in told.get_all("Classifier") or []
        if value.startswith("License ::")
    ]
    known = [WORDS[word] for word in classified if word in WORDS]
    if known:
        return " OR ".join(known)
    first = (told.get("License") or "").strip().partition("\n")[0].lower()
    return WORDS.get(first, "")


def strength(expression: str) -> int:
    """0 permissive, 1 weak copyleft, 2 strong; AND takes the strongest side, OR the weakest."""

    def of(node) -> int:
        if hasattr(node, "args") and node.args:
            return (min if node.operator.strip() == "OR" else max)(of(a) for a in node.args)
        if hasattr(node, "license_symbol"):  # `GPL-3.0 WITH GCC-exception-3.1` links freely
            return 1 if STRONG.match(node.license_symbol.key) else of(node.license_symbol)
        return 2 if STRONG.match(node.key) else 1 if WEAK.match(node.key) else 0

    return of(licensing.parse(expression))


def asked_for(*extras: str) -> list[str]:
    """The requirements of pyproject.toml: the base's and those of `extras`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["dependencies"] + [
        line for extra in extras for line in project["optional-dependencies"][extra]
    ]


def needed(requirements: list[str]) -> dict[str, importlib.metadata.Distribution]:
    """What these requirements bring on this machine, directly or not, by normalised name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [Requirement(line) for line in requirements]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or OF_THE_MACHINE.match(name):
            continue
        seen.add((name, extras))
        found[name] = importlib.metadata.distribution(name)
        for line in found[name].requires or []:
            inner = Requirement(line)
            marker = inner.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
                waiting.append(inner)
    return found


@pytest.fixture(scope="module")
def at_run_time():
    return needed(asked_for("train", "dashboard"))


def test_the_walk_reaches_what_is_needed_only_indirectly(at_run_time):
    assert {"torch", "streamlit", "numpy", "certifi", "networkx"} <= at_run_time.keys()
    assert "pytest" not in at_run_time


def test_every_licence_is_known(at_run_time):
    assert not sorted(n for n, d in at_run_time.items() if not license_of(d))


def test_no_gpl_or_agpl_at_run_time(at_run_time):
    assert not sorted(n for n, d in at_run_time.items() if strength(license_of(d)) == 2)


def test_weak_copyleft_is_listed_and_nothing_else(at_run_time):
    weak = {n for n, d in at_run_time.items() if strength(license_of(d)) == 1}
    listed = set(re.findall(r"^\| `([^`]+)` \|", LISTED.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == weak


def test_everything_in_the_lock_has_a_known_licence():
    """The tools of development too. They may be dual-licensed; they do not ship."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    names = [line.partition("==")[0] for line in lines if line and not line.startswith("#")]
    unknown = []
    for name in names:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # test_packaging asks whether the lock is installed
        if not license_of(distribution) or strength(license_of(distribution)) == 2:
            unknown.append(name)
    assert not unknown


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", 0),
        ("Apache-2.0 WITH LLVM-exception", 0),
        ("MPL-2.0 AND MIT", 1),
        ("MPL-2.0 OR MIT", 0),
        ("LGPL-3.0-only", 1),
        ("BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", 1),
        ("MIT AND GPL-2.0-or-later", 2),
        ("Artistic-1.0-Perl OR GPL-2.0-or-later", 0),
        ("AGPL-3.0-only", 2),
        ("(MIT OR GPL-3.0-only) AND AGPL-3.0-only", 2),
    ],
)
def test_copyleft_is_told_by_expression(expression, expected):
    assert strength(expression) == expected
