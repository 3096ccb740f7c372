"""Does a fingerprint come back from a feed as it was written?"""

from __future__ import annotations

import json

import numpy as np
import pytest
from picture_edits import framed
from scenes import scene

from picdeed.flow.likeness import row_of
from picdeed.flow.looks import as_json, code_row, corners_in, grid, inside, look_of, read_look
from picdeed.imaging.codes import code_of
from picdeed.imaging.colours import WHOLE
from picdeed.imaging.local import CORNERS, descriptors
from picdeed.imaging.votes import candidates_between
from picdeed.registry.pictures import Picture

FEED = "fe" * 32


def look(image):
    row = Picture(
        id="img_0", sha256="0", bytes=1, media_type="image/png", first_seen="",
        width=image.width, height=image.height,
    )  # fmt: skip
    return look_of(FEED, 3, row_of("img_0", code_of(image), ""), row, descriptors(image))


def test_codes_colours_and_border_come_back():
    image = framed(scene(1), 0.1)
    written = look(image)
    read = read_look(FEED, 3, json.loads(json.dumps(as_json(written))))
    names = ("feed", "seq", "algorithm", "turned", "turned_trimmed", "trim", "quality", "colours")
    assert [getattr(read, one) for one in names] == [getattr(written, one) for one in names]
    assert (grid(read) == code_of(image).colours).all()
    assert code_row(read).turned_trimmed == written.turned_trimmed
    box = np.array(code_of(image).trim_box).reshape(2, 2) / [image.width, image.height]
    assert np.abs(np.array(inside(read.trim)) - box.reshape(-1)).max() < 1e-4


def test_corners_come_back_with_their_places():
    image = scene(1)
    found, read = descriptors(image), corners_in(look(image))
    assert (read.codes == found.codes).all()
    assert np.abs(read.geometry[:, :3] - found.geometry[:, :3]).max() < 0.01
    turned = (read.geometry[:, 3] - found.geometry[:, 3] + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(turned).max() < 1e-3
    assert len(found.codes) > CORNERS / 2
    assert len(candidates_between([found], [read], least=50))


def test_a_plain_picture_has_no_corners():
    plain = look(scene(1).resize((8, 8)))
    assert as_json(plain)["corners"] is None
    assert len(corners_in(read_look(FEED, 1, as_json(plain))).codes) == 0
    assert inside(None) == WHOLE
    assert inside("ffff00000000ffff") == WHOLE  # a box without area


def test_another_algorithm_is_kept_whatever_its_codes_look_like():
    said = as_json(look(scene(1)))
    said["codes"] |= {"algorithm": "pdq512/9", "turned": "00", "colours": ""}
    said["corners"] = {"algorithm": "sift/1", "places": "0000"}
    read = read_look(FEED, 1, said)
    assert (read.algorithm, read.turned) == ("pdq512/9", "00")
    assert len(corners_in(read).codes) == 0
    said["codes"]["turned"] = "0" * 100_000
    with pytest.raises(ValueError, match="too long"):
        read_look(FEED, 1, said)
