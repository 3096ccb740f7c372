from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from picdeed.core.errors import Denied
from picdeed.core.resources import bundled
from picdeed.flow import pipeline
from picdeed.flow.decided import require_open
from picdeed.flow.gate import gate
from picdeed.registry.session import Registry
from picdeed.rights.catalogue import load_catalogue
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_pictures


def frozen(registry: Registry, tmp_path: Path, license_: str, **query: bool) -> str:
    source = tiny_pictures(tmp_path / license_, 3, {"license": license_})
    pipeline.register(registry, source, license_)
    done = pipeline.freeze(registry, license_, pipeline.Query(all=True, **query))
    assert done.snapshot is not None
    return done.snapshot


@pytest.mark.parametrize(
    ("license_", "use", "verdict"),
    [
        ("CC0-1.0", Use.TRAIN, "ALLOW"),
        ("CC-BY-4.0", Use.TRAIN, "DUTIES"),
        ("CC-BY-SA-4.0", Use.SHARE_ADAPTER, "REVIEW"),
        ("CC-BY-NC-4.0", Use.TRAIN, "DENY"),
        ("MIT", Use.SELL_ADAPTER, "DUTIES"),
        ("Apache-2.0", Use.SHARE_ADAPTER, "DUTIES"),
    ],
)
def test_verdicts(
    registry: Registry, tmp_path: Path, license_: str, use: Use, verdict: str
) -> None:
    done = pipeline.judge(registry, frozen(registry, tmp_path, license_), "sprig", [use])
    assert done.verdict == verdict
    assert any(reason["license"] == license_ and reason["clause"] for reason in done.reasons)


def test_an_equal_question_gives_the_same_decision(filled: Registry) -> None:
    snapshot = pipeline.freeze(filled, "drawings").snapshot
    first = pipeline.judge(filled, snapshot, "sprig", [Use.TRAIN])
    assert pipeline.judge(filled, snapshot, "sprig", [Use.TRAIN]) == first
    other = pipeline.judge(filled, snapshot, "sprig", [Use.TRAIN, Use.SELL_ADAPTER])
    assert other.decision != first.decision


def test_a_changed_line_of_a_licence_file_changes_the_verdict(
    filled: Registry, tmp_path: Path
) -> None:
    snapshot = pipeline.freeze(filled, "drawings").snapshot
    before = pipeline.judge(filled, snapshot, "sprig", [Use.TRAIN])
    shutil.copytree(bundled("configs"), tmp_path / "configs")
    path = tmp_path / "configs" / "licenses" / "cc-public-domain.toml"
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.lstrip().startswith("train"))
    assert '"ALLOW"' in lines[at]
    lines[at] = lines[at].replace('"ALLOW"', '"DENY"')
    path.write_text("\n".join(lines))
    catalogue = load_catalogue(tmp_path / "configs")
    pipeline.license(filled, catalogue)
    after = gate(filled, catalogue, snapshot, "sprig", [Use.TRAIN])
    assert (before.verdict, after.verdict) == ("ALLOW", "DENY")
    assert after.decision != before.decision


def test_drop_names_the_pictures_that_stand_in_the_way(registry: Registry, tmp_path: Path) -> None:
    tiny_pictures(tmp_path / "source", 4)
    tiny_pictures(tmp_path / "source", 1, {"license": "CC-BY-NC-4.0"}, first=40)
    done = pipeline.register(registry, tmp_path / "source", "mixed")
    bad = next(i for i, (lic, _) in done.conclusions.items() if lic == "CC-BY-NC-4.0")
    snapshot = pipeline.freeze(registry, "mixed", pipeline.Query(all=True)).snapshot
    found = pipeline.judge(registry, snapshot, "sprig", [Use.TRAIN])
    assert (found.verdict, found.drop, found.drop_reason) == ("DENY", (bad,), None)


def test_a_later_claim_kills_the_old_decision(filled: Registry, tmp_path: Path) -> None:
    snapshot = pipeline.freeze(filled, "drawings").snapshot
    first = pipeline.judge(filled, snapshot, "sprig", [Use.TRAIN])
    source = tiny_pictures(tmp_path / "again", 1, {"license": "CC-BY-ND-4.0"})
    pipeline.register(filled, source, "elsewhere", given=pipeline.Given(license="CC-BY-NC-4.0"))
    second = pipeline.judge(filled, snapshot, "sprig", [Use.TRAIN])
    assert (first.verdict, second.verdict) == ("ALLOW", "DENY")
    assert len(second.drop) == 1


def test_a_revoked_member_is_denied_and_dropped(filled: Registry) -> None:
    done = pipeline.freeze(filled, "drawings")
    with filled.read() as session:
        from picdeed.registry import snapshots

        member = snapshots.members(session, done.snapshot)[0].picture_id
    pipeline.withdraw(filled, member, pipeline.Ground.TAKEDOWN)
    found = pipeline.judge(filled, done.snapshot, "sprig", [Use.TRAIN])
    assert (found.verdict, found.drop) == ("DENY", (member,))


def test_require_open_names_the_decision(registry: Registry, tmp_path: Path) -> None:
    snapshot = frozen(registry, tmp_path, "CC-BY-NC-4.0")
    found = pipeline.judge(registry, snapshot, "sprig", [Use.TRAIN])
    with pytest.raises(Denied, match="Nothing was trained") as refused:
        require_open(found)
    assert refused.value.decision == found.decision
