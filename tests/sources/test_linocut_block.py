import numpy as np

from picdeed.sources.linocut_block import INK, PAPER, Block, Cut
from picdeed.sources.linocut_shapes import box, ellipse, path


def _ink(block, **options):
    return np.asarray(block.print(**options).convert("L")) < 128


def test_an_untouched_block_without_chatter_prints_bare_paper():
    image = Block("empty").print(chatter=False)
    assert image.getcolors() == [(256 * 256, PAPER)]


def test_ink_stands_and_is_cleared():
    block = Block("a")
    block.ink(box(10, 10, 90, 90))
    block.clear(box(30, 30, 70, 70))
    ink = _ink(block, chatter=False)
    assert ink[128, 40]
    assert not ink[128, 128]
    assert ink.mean() > 0.4
    assert INK in {color for _, color in block.print(chatter=False).getcolors(9999)}


def test_gouges_are_thicker_towards_the_light():
    block = Block("b")
    block.body(ellipse(50, 50, 40), Cut(tone=0.6))
    ink = _ink(block, chatter=False)
    assert ink[60:120, 60:120].mean() < ink[140:200, 140:200].mean() - 0.2


def test_more_tone_leaves_less_ink():
    means = []
    for tone in (0.1, 0.5, 0.9):
        block = Block("c")
        block.body(ellipse(50, 50, 40), Cut("rings", tone=tone))
        means.append(_ink(block, chatter=False).mean())
    assert means[0] > means[1] > means[2]


def test_chatter_stays_clear_of_the_subject():
    plain, chattered = Block("d"), Block("d")
    for block in (plain, chattered):
        block.paper(ellipse(50, 50, 30))
    before, after = _ink(plain, chatter=False), _ink(chattered)
    assert after.mean() > before.mean() + 0.02
    inside = np.zeros_like(before)
    inside[85:171, 85:171] = True
    assert not (after & ~before & inside).any()


def test_lines_and_gouges_undo_each_other():
    block = Block("e")
    block.line(path((10, 50), (50, 50), (90, 50)), 8)
    assert _ink(block, chatter=False)[128, 128]
    block.gouge(path((10, 50), (50, 50), (90, 50)), width=12)
    assert not _ink(block, chatter=False)[128, 128]
