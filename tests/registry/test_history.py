"""Does the ledger say when something was learned?"""

from __future__ import annotations

from picdeed.registry import history, ledger


def test_the_first_time_counts(registry, make, save):
    p = make.picture("p")
    save(p)
    with registry.read() as session:
        began = history.first_written(session, "pictures", [(p.id,)])[p.id,]
        assert began == ledger.events(session)[-1].at
    p.state = "revoked"
    save(p)
    with registry.read() as session:
        assert history.first_written(session, "pictures", [(p.id,)]) == {(p.id,): began}
        assert history.first_written(session, "pictures", [("img_x",)]) == {}
        assert history.first_written(session, "datasets", [(p.id,)]) == {}
