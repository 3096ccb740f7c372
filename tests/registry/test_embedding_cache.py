"""Are vectors kept under their algorithm, damaged ones made again, and erased ones gone for good?"""

from __future__ import annotations

import fcntl
import multiprocessing
import threading

import numpy as np
import pytest

from picdeed.registry.embedding_cache import forget_vectors, keep_vectors, kept_vectors
from picdeed.registry.pictures import PictureState
from picdeed.registry.session import open_registry

ALGORITHM, D = "embed:vit:0123456789abcdef", 6


def steps(n, seed=0, d=D):
    return np.random.default_rng(seed).integers(-4000, 4000, (n, d)).astype(np.int16)


def names_of(n, first=0):
    return [f"img_{at:064x}" for at in range(first, first + n)]


def told(registry, algorithm=ALGORITHM, d=D):
    found = kept_vectors(registry, algorithm, d)
    assert found.steps.shape == (len(found), d)
    pairs = zip(found.names.tolist(), found.steps.tolist(), strict=True)
    return {name.decode(): row for name, row in pairs}


def expected(names, rows):
    return dict(zip(names, rows.tolist(), strict=True))


def folder_of(registry):
    return registry.cache / "embeddings" / ALGORITHM.replace(":", "-")


def everything(registry):
    return b"".join(p.read_bytes() for p in sorted(folder_of(registry).rglob("*")) if p.is_file())


def test_what_is_kept_comes_back_and_is_added_to(registry):
    assert told(registry) == {}
    first, second = steps(5), steps(3, 1)
    keep_vectors(registry, ALGORITHM, names_of(5), first)
    assert told(registry) == expected(names_of(5), first)
    keep_vectors(registry, ALGORITHM, names_of(3, 5), second)
    keep_vectors(registry, ALGORITHM, names_of(2, 4), steps(2, 9))  # there already
    assert told(registry) == expected(names_of(8), np.concatenate((first, second)))
    found = kept_vectors(registry, ALGORITHM, D)
    assert isinstance(found.steps.base, np.memmap)


def test_algorithms_never_mix(registry):
    keep_vectors(registry, ALGORITHM, names_of(2), steps(2))
    other = ALGORITHM[:-1] + "e"
    assert told(registry, other) == {}
    keep_vectors(registry, other, names_of(2), steps(2, 1))
    assert told(registry) == expected(names_of(2), steps(2))
    assert told(registry, other) == expected(names_of(2), steps(2, 1))
    # A folder under another name than its header's is another's.
    folder_of(registry).rename(registry.cache / "embeddings" / "embed-vit-ffff")
    assert told(registry, "embed:vit:ffff") == {}


@pytest.mark.parametrize("name", ["names", "vectors", "header.json"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_what_is_damaged_is_not_used_and_made_again(registry, name, how):
    keep_vectors(registry, ALGORITHM, names_of(4), steps(4))
    (path,) = folder_of(registry).rglob(name)
    data = path.read_bytes()
    if how == "flipped":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    elif how == "cut":
        path.write_bytes(data[:-1])
    else:
        path.unlink()
    assert told(registry) == {}
    keep_vectors(registry, ALGORITHM, names_of(1, 7), steps(1, 3))
    assert told(registry) == expected(names_of(1, 7), steps(1, 3))
    assert len(list(folder_of(registry).glob("data-*"))) == 1


def test_what_a_kill_left_behind_the_counted_rows_is_written_over(registry):
    keep_vectors(registry, ALGORITHM, names_of(4), steps(4))
    for path in folder_of(registry).glob("data-*/*"):
        with path.open("ab") as file:
            file.write(b"half a row")
    keep_vectors(registry, ALGORITHM, names_of(1, 4), steps(1, 1))
    assert told(registry) == expected(names_of(5), np.concatenate((steps(4), steps(1, 1))))


def test_an_erased_picture_is_gone_from_every_algorithm_and_file(registry):
    other = "embed:clip:00"
    keep_vectors(registry, ALGORITHM, names_of(3), steps(3))
    keep_vectors(registry, other, names_of(2, 1), steps(2, 1, 9))
    gone, shown = names_of(1, 1)[0], steps(3)[1].tobytes()
    assert gone.encode() in everything(registry)
    assert shown in everything(registry)
    stray = folder_of(registry) / "data-99"  # a kill came between the header and the sweeping
    stray.mkdir()
    (stray / "names").write_bytes(gone.encode())
    assert forget_vectors(registry, gone)
    assert told(registry) == {n: r for n, r in expected(names_of(3), steps(3)).items() if n != gone}
    assert list(told(registry, other, 9)) == names_of(1, 2)
    assert gone.encode() not in everything(registry)
    assert shown not in everything(registry)
    assert not forget_vectors(registry, gone)
    keep_vectors(registry, ALGORITHM, names_of(1, 3), steps(1, 5))
    assert gone not in told(registry)


def test_an_erasure_with_a_broken_cache_takes_all_of_it(registry):
    keep_vectors(registry, ALGORITHM, names_of(3), steps(3))
    (folder_of(registry) / "header.json").write_text("{")
    forget_vectors(registry, names_of(1)[0])
    assert [path.name for path in folder_of(registry).iterdir()] == ["lock"]


def test_who_was_erased_meanwhile_is_not_kept(registry, make, save):
    gone, other = make.picture("gone", state=PictureState.ERASED), make.picture("other")
    save(gone, other)
    keep_vectors(registry, ALGORITHM, [gone.id, other.id], steps(2))
    assert list(told(registry)) == [other.id]


def _keeps(root, at):
    registry = open_registry(root)
    for one in range(10):
        keep_vectors(registry, ALGORITHM, names_of(1, 100 * at + one), steps(1, 100 * at + one))


def test_two_processes_that_keep_at_once_lose_nothing(registry):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_keeps, args=(registry.root, at)) for at in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = told(registry)
    assert sorted(found) == sorted([*names_of(10), *names_of(10, 100)])
    assert all(found[name] == steps(1, int(name[4:], 16)).tolist()[0] for name in found)


def test_who_keeps_waits_for_who_forgets(registry):
    keep_vectors(registry, ALGORITHM, names_of(1), steps(1))
    with (folder_of(registry) / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=forget_vectors, args=(registry, names_of(1)[0]))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join(10)
    assert told(registry) == {}
