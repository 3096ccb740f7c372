"""Do the counts equal the rows?"""

from __future__ import annotations

from picdeed.registry.overview import overview


def test_counts(full):
    with full.read() as session:
        seen = overview(session)
    assert (seen.pictures, seen.claims, seen.datasets, seen.clusters) == (2, 3, 1, 1)
    assert (seen.snapshots, seen.decisions, seen.runs, seen.adapters, seen.outputs) == (1,) * 5
    assert (seen.revocations, seen.events) == (1, 4)
    assert (seen.without_conclusion, seen.conflicts, seen.opt_outs) == (0, 0, 0)
    assert seen.by_license == {"CC0-1.0": 2}
    assert seen.pictures_by_state == {"good": 2}
    assert seen.runs_by_state == {"succeeded": 1}
    assert seen.adapters_by_state == seen.outputs_by_state == {"good": 1}
    assert seen.decisions_by_verdict == {"ALLOW": 1}


def test_conflicts_opt_outs_and_open_pictures_are_counted(registry, make, save):
    shown = [make.picture(str(i)) for i in range(3)]
    torn = make.standing(conflict=True, opt_out=True)
    out = make.standing(opt_out=True)
    save(
        *shown,
        torn,
        out,
        make.conclusion(shown[0].id, torn),
        make.conclusion(shown[1].id, out),
    )
    with registry.read() as session:
        seen = overview(session)
    assert (seen.without_conclusion, seen.conflicts, seen.opt_outs) == (1, 1, 2)


def test_an_empty_registry(registry):
    with registry.read() as session:
        seen = overview(session)
    assert (seen.pictures, seen.events) == (0, 1)
    assert seen.by_license == {}
