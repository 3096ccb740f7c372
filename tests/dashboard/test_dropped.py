from __future__ import annotations

import os

from picdeed_ui.dropped import laid_out


def listed(cache, files):
    with laid_out(cache, files) as place:
        return place, {path.name: path.read_bytes() for path in place.iterdir()}


def test_files_lie_there_for_as_long_as_they_are_read(tmp_path):
    place, held = listed(tmp_path, [("a.png", b"a"), ("b.png", b"b")])
    assert held == {"a.png": b"a", "b.png": b"b"}
    assert not place.exists()


def test_names_that_point_elsewhere_are_tamed(tmp_path):
    names = [
        "../../up.png",
        "/etc/passwd",
        "C:\\x\\win.png",
        "..",
        "",
        "nul\0.png",
        "x" * 400 + ".png",
    ]
    place, held = listed(tmp_path, [(name, bytes([n])) for n, name in enumerate(names)])
    assert len(held) == len(names)
    assert {"up.png", "passwd", "win.png", "nul.png"} <= set(held)
    assert place.parent.parent == tmp_path
    assert all(len(os.fsencode(name)) < 256 for name in held)


def test_two_files_of_one_name_are_both_kept(tmp_path):
    _, held = listed(tmp_path, [("a/x.png", b"1"), ("b/x.png", b"2")])
    assert sorted(held.values()) == [b"1", b"2"]


def test_the_same_drop_is_the_same_place_again(tmp_path):
    first, _ = listed(tmp_path, [("a.png", b"a")])
    assert listed(tmp_path, [("a.png", b"a")])[0] == first
    assert listed(tmp_path, [("a.png", b"b")])[0] != first
