"""Does a site that closes a path to training crawlers close it to us?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core.resources import bundled
from picdeed.rights.claims import ClaimKind, ClaimStatus
from picdeed.rights.signals.agents import load_agents
from picdeed.rights.signals.robots import read_ai_txt, read_robots

URL = "https://example.org/art/a%20b.jpg?x=1"
agents = load_agents(bundled("configs"))


def said(text, url=URL):
    return [(str(c.kind), str(c.status)) for c in read_robots(text, url, agents)]


DENY, DOUBT = [("opt-out", "parsed")], [("opt-out", "unparsed")]


@pytest.mark.parametrize("agent", agents.names)
def test_every_agent_of_the_list_counts(agent):
    (claim,) = read_robots(f"User-agent: {agent}\nDisallow: /\n", URL, agents)
    assert (claim.kind, claim.status) == (ClaimKind.OPT_OUT, ClaimStatus.PARSED)
    assert agent in claim.raw
    assert agents.version in claim.parser


@pytest.mark.parametrize(
    "text",
    [
        "User-agent: *\nDisallow: /",
        "USER-AGENT: gptbot\ndisallow: /art/",
        "\ufeffUser-agent: GPTBot\r\nDisallow: /art/*.jpg\r\n",
        "User-agent: *\nAllow: /\n\nUser-agent: CCBot\nDisallow: /",
        "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /art",
        "User-agent: GPTBot # theirs\nDisallow: / # all",
        "User-agent: *\nDisallow: /\nAllow: /public/",
        "User-agent: picdeed\nDisallow: /",
        "Content-Signal: search=yes,ai-train=no\nUser-agent: *\nAllow: /",
    ],
)
def test_closed(text):
    assert said(text) == DENY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "User-agent: *\nDisallow:\n",
        "User-agent: *\nDisallow: /private/",
        "User-agent: GPTBot\nDisallow: /other/",
        "User-agent: Googlebot\nDisallow: /",
        "User-agent: *\nDisallow: /\nAllow: /art/",
        "Sitemap: https://example.org/s.xml",
        "just some words",
    ],
)
def test_open(text):
    assert said(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "License: https://example.org/l.xml",
        "license: https://example.org/l.xml",
        "Content-Usage: train-ai=n",
        "Content-Usage: /art/ train-ai=n",
    ],
)
def test_lines_that_a_person_must_read(line):
    assert said(f"User-agent: *\n{line}\nAllow: /") == DOUBT


@pytest.mark.parametrize("text", ["<!DOCTYPE html><html>x</html>", "\n<html>", "<!-- a --><html>"])
def test_a_page_in_its_place(text):
    assert said(text) == [("opt-out", "unreadable")]
    assert [c.status for c in read_ai_txt(text)] == [ClaimStatus.UNREADABLE]


def test_a_huge_file():
    assert said("#" * (5 << 20)) == [("opt-out", "unreadable")]


def test_ai_txt():
    assert read_ai_txt("") == read_ai_txt("# only words\n\n") == ()
    (claim,) = read_ai_txt("User-Agent: *\nDisallow: *.jpg")
    assert (claim.kind, claim.status) == (ClaimKind.OPT_OUT, ClaimStatus.UNPARSED)
    assert "*.jpg" in claim.raw


@given(st.text(max_size=80), st.text(max_size=30))
def test_nothing_raises(text, url):
    read_robots(text, url, agents)
    read_robots(f"User-agent: *\nDisallow: /{text}", f"https://example.org/{url}", agents)
    read_ai_txt(text)
