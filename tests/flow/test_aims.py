"""Is what a person names read as the things that they mean, and Creative Commons as it is?"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from revocable import AT, conclude, contract, do, events, make_world, save, states

from picdeed.core.errors import UnknownSubject, UsageError
from picdeed.flow.aims import irrevocable
from picdeed.flow.revoke import Ground
from picdeed.registry import datasets, revocations
from picdeed.registry.session import create_registry


@pytest.fixture
def world(tmp_path) -> SimpleNamespace:
    return make_world(create_registry(tmp_path / "registry"))


@pytest.mark.parametrize(
    ("expression", "is_so"),
    [
        ("CC-BY-4.0", True),
        ("CC0-1.0", True),
        ("CC-BY-4.0 AND CC-BY-SA-3.0", True),
        ("CC-BY-4.0 OR LicenseRef-Stock", True),
        ("CC-BY-4.0 AND LicenseRef-Stock", False),
        ("MIT", False),
        ("CECILL-2.1", False),
        ("NOASSERTION", False),
    ],
)
def test_creative_commons_cannot_be_withdrawn(expression, is_so) -> None:
    assert irrevocable(expression) is is_so


@pytest.mark.parametrize("target", ["a", "CC-BY-4.0"])
def test_an_author_who_takes_creative_commons_back_changes_nothing(world, target) -> None:
    conclude(world.registry, a="CC-BY-4.0", copy="CC-BY-4.0", b="MIT")
    whole = getattr(world, target, target)
    done = do(world.registry, whole, Ground.CONTRACT_ENDED)
    found = states(done)
    assert (found[world.a], found[world.adapter], found[world.snapshot]) == ("good",) * 3
    assert "no legal effect" in done.note
    assert not (world.registry.root / "runs/2/stop.json").exists()
    with world.registry.read() as session:
        assert revocations.touching(session, world.adapter).id == done.revocation
    assert states(do(world.registry, whole, Ground.TAKEDOWN))[world.a] == "revoked"


def test_a_dataset_of_both_kinds_is_told_apart(world) -> None:
    conclude(world.registry, a="CC-BY-4.0", copy="CC-BY-4.0", b="LicenseRef-Stock")
    found = states(done := do(world.registry, "birds", Ground.CONTRACT_ENDED))
    assert (found[world.a], found[world.b]) == ("good", "revoked")
    assert done.note.startswith("1 of 2 pictures")


def test_a_contract_over_a_creative_commons_picture_does_end(world) -> None:
    conclude(world.registry, a="CC-BY-NC-4.0")
    contract(world.registry, [world.a])
    found = states(do(world.registry, world.a, Ground.CONTRACT_ENDED))
    assert found[world.a] == "revoked"


def test_a_licence_names_every_expression_that_holds_it(world) -> None:
    conclude(world.registry, a="CC-BY-4.0 AND MIT", b="MIT", copy="Apache-2.0")
    assert {one.id for one in do(world.registry, "mit", simulate=True).impact.pictures} == {
        world.a, world.b, world.copy,
    }  # fmt: skip
    only = do(world.registry, "Apache-2.0", simulate=True)
    assert world.b not in states(only)
    whole = do(world.registry, "MIT AND CC-BY-4.0", simulate=True)
    assert (whole.target, world.b in states(whole)) == ("CC-BY-4.0 AND MIT", False)
    with pytest.raises(UsageError, match="under ISC"):
        do(world.registry, "ISC")


def test_a_name_that_is_a_licence_too_is_asked_about(world) -> None:
    conclude(world.registry, a="MIT")
    save(
        world.registry,
        datasets.Dataset(id=datasets.dataset_id("MIT"), name="MIT", created_at=AT),
    )
    count = events(world.registry)
    with pytest.raises(UsageError, match="the name of a dataset") as refused:
        do(world.registry, "MIT")
    assert datasets.dataset_id("MIT")[:16] in refused.value.hint
    assert events(world.registry) == count


@pytest.mark.parametrize(
    ("target", "options", "error"),
    [
        ("img_ffff", {}, UnknownSubject),
        ("nothing", {}, UnknownSubject),
        ("snp_1111", {}, UnknownSubject),
        ("birds", {"effective": "tomorrow"}, UsageError),
        ("birds", {"effective": "2026-13-01"}, UsageError),
        ("birds", {"effective": "2999-01-01"}, UsageError),
    ],
)
def test_bad_input_changes_nothing(world, target, options, error) -> None:
    count = events(world.registry)
    with pytest.raises(error):
        do(world.registry, target, **options)
    assert events(world.registry) == count


def test_a_ground_outside_the_list_is_none(world) -> None:
    with pytest.raises(ValueError, match="boredom"):
        do(world.registry, world.a, "boredom")


def test_an_empty_dataset_is_nothing_to_revoke(world) -> None:
    save(world.registry, datasets.Dataset(id="dat_0", name="empty", created_at=AT))
    with pytest.raises(UsageError, match="holds no picture"):
        do(world.registry, "empty")
