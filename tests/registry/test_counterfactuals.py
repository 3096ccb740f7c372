"""Are runs that leave something out, and what was said of them, found in the ledger?"""

from __future__ import annotations

import pytest

from picdeed.core.events import Event
from picdeed.registry import ledger
from picdeed.registry.counterfactuals import (
    counterfactual_id,
    counterfactuals,
    of_run,
    said_of,
    statement_of,
)
from picdeed.registry.lineage import graph


def told(registry, event, **payload):
    with registry.write() as session:
        ledger.write(session, event, payload, [])


def test_the_first_event_names_it_and_later_ones_add_causes(registry):
    told(registry, Event.TRAIN_STARTED, run="run_1", snapshot="snp_1", decision="dec_1")
    told(registry, Event.TRAIN_STARTED, run="run_2", without=said_of("run_1", ["rev_2", "rev_1"]))
    told(registry, Event.TRAIN_STARTED, run="run_3", without=said_of("run_1", ["rev_3"]))
    told(registry, Event.TRAIN_STARTED, run="run_2", without=said_of("run_1", ["rev_4", "rev_1"]))
    with registry.read() as session:
        assert [one.run for one in counterfactuals(session)] == ["run_2", "run_3"]
        one = of_run(session, "run_2")
        assert of_run(session, "run_1") is None
    assert (one.of, one.named) == ("run_1", ("rev_1", "rev_2"))
    assert one.revocations == ("rev_1", "rev_2", "rev_4")


def test_the_newest_statement_counts(registry):
    with registry.read() as session:
        assert statement_of(session, "run_2") is None
    for digest in ("a" * 64, "b" * 64):
        told(registry, Event.TRAIN_COMPARED, run="run_2", of="run_1", statement=digest)
    with registry.read() as session:
        assert statement_of(session, "run_2") == "b" * 64


def test_the_same_left_out_of_the_same_run_is_one_run():
    inputs = {"snapshot": "s", "base": "b", "recipe": "r", "seed": 0}
    one = counterfactual_id(inputs, "run_1", ["img_2", "img_1"])
    assert one == counterfactual_id(inputs, "run_1", {"img_1", "img_2"})
    others = {
        counterfactual_id(inputs | {"seed": 1}, "run_1", ["img_2", "img_1"]),
        counterfactual_id(inputs, "run_2", ["img_2", "img_1"]),
        counterfactual_id(inputs, "run_1", ["img_1"]),
        one,
    }
    assert len(others) == 4


@pytest.mark.parametrize("start", ["rev_1", "run_2"])
def test_lineage_goes_from_the_revocation_to_the_run_and_back(registry, start):
    told(registry, Event.TRAIN_STARTED, run="run_2", without=said_of("run_1", ["rev_1"]))
    with registry.read() as session:
        found = graph(session, start)
    assert found.edges == (("rev_1", "run_2", "retrained-without"),)
    assert {node.id for node in found.nodes} == {"rev_1", "run_2"}
