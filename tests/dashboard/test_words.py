from __future__ import annotations

from streamlit.testing.v1 import AppTest

from picdeed.registry.lineage import Graph, Node
from picdeed_ui.parts.graph import dot
from picdeed_ui.parts.words import clip, plain, stamp, text


def test_html_is_escaped(hostile):
    assert "<" not in text(hostile)
    assert '"' not in text(hostile)
    assert "&lt;script" in stamp("<script>")


def test_markdown_is_escaped(hostile):
    escaped = plain(hostile)
    assert "**" not in escaped
    assert "](" not in escaped
    # Streamlit reads these after Markdown's escapes are gone.
    assert ":material" not in escaped
    assert ":red" not in escaped
    assert "\n" not in plain("# one\n# two")


def test_long_lines_are_clipped():
    assert clip("a\n b", 10) == "a b"
    assert len(clip("x" * 500)) == 90


def long_table():
    from picdeed_ui.parts.words import table

    table(("n", "said"), [(n, "<b>") for n in range(250)])


def test_a_long_table_counts_what_it_does_not_show():
    app = AppTest.from_function(long_table).run()
    body, rest = (one.proto.body for one in app.get("html"))
    assert body.count("<tr>") == 201
    assert "<b>" not in body
    assert "and 50 more" in rest


def test_a_label_cannot_leave_its_box():
    node = Node("out_1", "output", 'x"]; evil [label="\\', "good")
    drawn = dot(Graph((node,), ()), "out_0")
    assert 'evil [label="' not in drawn
    assert drawn.count('"') % 2 == 0
    assert "\\\\" not in drawn.replace("\\n", "")


def test_many_of_a_kind_are_one_box():
    nodes = [Node(f"img_{n}", "picture", "image/png", "good") for n in range(500)]
    nodes += [Node(f"out_{n}", "output", "a key", "good") for n in range(20)]
    nodes.append(Node("snp_1", "snapshot", "500 pictures", "good"))
    edges = [(f"img_{n}", "snp_1", "frozen-in") for n in range(500)]
    drawn = dot(Graph(tuple(nodes), tuple(edges)), "snp_1")
    assert "500 good" in drawn
    assert "20 good" in drawn
    assert drawn.count("->") == 1
    assert 'URL="browse?picture=img_7"' in dot(
        Graph((nodes[7], nodes[-1]), (("img_7", "snp_1", "frozen-in"),)), "snp_1"
    )


def cells_of_every_kind():
    from picdeed_ui.parts.words import Each, Id, Link, Stamp, table

    bad = '"><b>'
    table(("a", "b", "c", "d", "e"), [(Each((bad, "x")), Link(bad, bad), Id(bad), Stamp(""), 1)])
    table(("n", "m"), [("", "2026-11-25"), (1_000, "x" * 30)])


def test_no_cell_lets_markup_through_and_days_stay_whole():
    app = AppTest.from_function(cells_of_every_kind).run()
    hostile_one, numbers = (one.proto.body for one in app.get("html"))
    assert "<b>" not in hostile_one
    assert hostile_one.count("<span>") == 2
    assert "pd-stamp" not in hostile_one
    assert '<th class="n">n</th>' in numbers
    assert '<td class="n">1,000</td>' in numbers
    assert '<td class="whole">2026-11-25</td>' in numbers
    assert '<td class="long">' in numbers
