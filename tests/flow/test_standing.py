"""Do a base's terms follow the licence on record, and never what somebody called it?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from picdeed.flow import pipeline
from picdeed.flow.basefacts import Person
from picdeed.flow.baseviews import show_model
from picdeed.flow.models import add_model
from picdeed.flow.standing import terms_of
from picdeed.registry import bases
from picdeed.registry.bases import Base
from picdeed.registry.session import Registry
from picdeed.rights.verdict import Use

Make = Callable[..., Path]
RAIL = {"LICENSE.md": "CreativeML Open RAIL++-M License\ndated July 26, 2023\n\nwords\n"}
APACHE = {"README.md": "---\nlicense: apache-2.0\n---\n"}
MIT = {"README.md": "---\nlicense: mit\n---\n"}


@pytest.mark.parametrize(
    ("name", "files", "verdicts"),
    [
        ("my-style", RAIL, "DUTIES DUTIES"),
        ("my-style", APACHE, "ALLOW DUTIES"),
        ("my-style", MIT, "DENY DENY"),
        ("my-style", {}, "DENY DENY"),
        # names say nothing: neither a known model's nor a licence's
        ("sdxl", {}, "DENY DENY"),
        ("flux.1-schnell", {}, "DENY DENY"),
        ("apache-2.0", MIT, "DENY DENY"),
        ("flux.1-dev", APACHE, "ALLOW DUTIES"),
    ],
)
def test_the_gate_follows_the_licence_and_not_the_name(
    filled: Registry, make_model: Make, name: str, files: dict[str, str], verdicts: str
) -> None:
    add_model(filled, pipeline.rules(), make_model(name, **files))
    snapshot = pipeline.freeze(filled, "drawings").snapshot
    assert snapshot is not None
    for use, verdict in zip((Use.TRAIN, Use.SHARE_ADAPTER), verdicts.split(), strict=True):
        found = pipeline.judge(filled, snapshot, name, [use])
        assert found.verdict == verdict
        (reason,) = [one for one in found.reasons if one["subject"] == "base"]
        assert reason["license"] == show_model(filled, pipeline.rules(), name).license


def test_a_new_licence_makes_a_new_decision(filled: Registry, make_model: Make) -> None:
    folder = make_model(**APACHE)
    add_model(filled, pipeline.rules(), folder)
    snapshot = pipeline.freeze(filled, "drawings").snapshot
    first = pipeline.judge(filled, snapshot, "my-style", [Use.TRAIN])
    said = Person("mit", "Ada", "the card was wrong")
    add_model(filled, pipeline.rules(), folder, person=said)
    second = pipeline.judge(filled, snapshot, "my-style", [Use.TRAIN])
    assert (first.verdict, second.verdict) == ("ALLOW", "DENY")
    assert first.decision != second.decision


def row(name: str, license_id: str, path: str) -> Base:
    return Base(
        id="bas_1", name=name, sha256="", license=license_id, deed={}, path=path, added_at=""
    )


def test_only_what_comes_with_picdeed_has_terms_of_its_own(registry: Registry) -> None:
    known = pipeline.rules()
    with registry.read() as session:
        sprig = bases.by_name(session, "sprig")
    assert terms_of(known, sprig) is known.bases["sprig"]
    assert terms_of(known, row("scratch", "NONE", "")) is known.bases["scratch"]
    # weights of an earlier release go by another name, and keep their licence
    earlier = terms_of(known, row("sprig-0123abcd", "Apache-2.0", "bundled:sprig-0123abcd"))
    assert earlier.terms.rules == known.bases["sprig"].terms.rules
    somebody = terms_of(known, row("sprig", "Apache-2.0", "/bases/sprig"))
    assert "sprig" not in somebody.terms.duties["notice"]
    # an own file speaks of an own base only while its licence is the one on record
    assert terms_of(known, row("sprig", "MIT", "bundled:sprig")).license == "MIT"
