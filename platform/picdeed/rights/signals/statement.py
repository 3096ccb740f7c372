"""What does a free text about rights say? Understood only where nothing can be misunderstood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    Statement,
    clip,
    license_claim,
)
from picdeed.rights.expression import parse_license

if TYPE_CHECKING:
    from collections.abc import Mapping

PARSER = "statement/2"

_RESERVED = re.compile(
    r"all\s+rights?\s+(?:are\s+)?reserved|alle\s+rechte\s+vorbehalten"
    r"|tous\s+droits\s+r[ée]serv[ée]s|todos\s+los\s+derechos\s+reservados"
    r"|todos\s+os\s+direitos\s+reservados|tutti\s+i\s+diritti\s+riservati"
    r"|alle\s+rechten\s+voorbehouden|все\s+права\s+защищены",
    re.IGNORECASE,
)
# Words about machines that learn; with them a text is never passed over in silence.
_AI = (
    r"(?-i:\b(?:AI|A\.I\.|TDM|KI|LLMs?|GenAI)\b)|\bgen(?:erative)?[\s_-]*ai\b"
    r"|\bai[\s/_-]*(?:train\w*|model\w*|data|dataset\w*|generat\w*|learning|use|usage|mining|"
    r"ml|scraping|development|art|companies)\b"
    r"|(?:\bl['\u2019]|\bd['\u2019]|\bpar\s|\bune\s|\bpor\s|\bla\s|\bcon\s)(?-i:IA)\b"
    r"|\bno[\s_-]?(?:image[\s_-]?)?ai\b|\bdmi-prohibited"
    r"|\bartificial\s+intelligence\b|\b(?:machine|deep)[\s-]+learning\b|\bneural\s+net"
    r"|\bgenerative\b|\b(?:data|text)[\s/_-]*mining\b|\bdatamining\b|\bscraping\b"
    r"|\btdm[\s-]*(?:opt|reserv)|\bdiffusion\s+model|\blanguage\s+model"
    r"|\btrain(?:ing)?\b.{0,40}\b(?:models?|algorithms?|networks?|datasets?|systems?)\b"
    r"|intelligence\s+artificielle|inteligencia\s+artificial|intelligenza\s+artificiale"
    r"|inteligência\s+artificial|künstliche\w*\s+intelligenz|kunstmatige\s+intelligentie"
    r"|maschinelle\w*\s+lernen|apprentissage\s+automatique|aprendizaje\s+automático"
    r"|fouille\s+de\s+(?:textes|données)|искусственн\w+\s+интеллект|машинно\w+\s+обучени"
    r"|人工智能|机器学习|人工知能|機械学習|生成\s*AI|AI\s*学習|AI\s*训练|人工智慧|인공지능"
)
_ABOUT_AI = re.compile(_AI, re.IGNORECASE | re.DOTALL)
# A word that forbids, near one about such machines.
_BAN = (
    r"\bno\b|\bnot\b|n['\u2019]t\b|\bwithout\b|\bnever\b|forbid|forbidden|prohibit|reserv"
    r"|\bopt(?:ed|s|ing)?[\s-]*out|\bexclud|disallow|refus|object\s+to|consent|permission"
    r"|\bkein|\bnicht\b|verboten|untersag|vorbehalt|interdi|\bpas\b|\bsans\b|prohib|\bsin\b"
    r"|vietat|\bnon\b|verbod|\bgeen\b|запрещ|禁止|不得|금지|\bno[\s_-]?(?:image)?ai\b|dmi-prohibited"
)
_BANS = re.compile(_BAN, re.IGNORECASE)
_NEAR = 120  # characters between the two
_MOST_REMARK = 100_000  # characters: nobody writes longer remarks, and a search takes its time


def read_statement(
    raw: str,
    source: ClaimSource,
    aliases: Mapping[str, str],
    *,
    terms: bool = False,
    note: str = "",
    limits: Limits = DEFAULT,
) -> Claim:
    """One claim from a rights text: EXIF Copyright, IPTC copyright notice, dc:rights and the like.

    A text that is exactly a licence's name or URL becomes a LICENSE claim. "All rights reserved"
    and words about AI ask for a person (R4). With `terms` the text is known to set terms of use
    (xmpRights:UsageTerms, a licence link): one that is not understood asks for a person too.
    Anything else, such as "© 2019 J. Doe", is recorded and moves nothing.
    """
    if parse_license(raw, aliases, limits).expression is not None:
        return license_claim(raw, source, aliases, parser=PARSER, limits=limits)
    said: Statement | None = None
    if _ABOUT_AI.search(raw):
        said = Statement.MENTIONS_AI
    elif _RESERVED.search(raw):
        said = Statement.ALL_RIGHTS_RESERVED
    elif terms and raw.strip():
        said = Statement.UNREAD_TERMS
    status = ClaimStatus.UNPARSED if said is Statement.UNREAD_TERMS else ClaimStatus.PARSED
    kind = ClaimKind.RIGHTS_STATEMENT
    return Claim(source, kind, clip(raw, limits), said, status, PARSER, note)


def read_remark(
    raw: str, source: ClaimSource, *, note: str = "", limits: Limits = DEFAULT
) -> Claim | None:
    """A claim from a text that may be about anything (a caption, a comment), None for most.

    Only what forbids machines that learn asks for a person: "an AI conference" does not.
    """
    kind, said, status = ClaimKind.RIGHTS_STATEMENT, Statement.MENTIONS_AI, ClaimStatus.PARSED
    if len(raw) > _MOST_REMARK:
        status, note = ClaimStatus.UNREADABLE, f"{len(raw)} characters are not read; {note}"
    elif not _forbids(raw):
        return None
    return Claim(source, kind, clip(raw, limits), said, status, PARSER, note)


def _forbids(raw: str) -> bool:
    """Whether a ban stands near such words, on either side. Time grows with the text, no more."""
    learning = [found.span() for found in _ABOUT_AI.finditer(raw)]
    bans = [found.span() for found in _BANS.finditer(raw)] if learning else []
    at = 0
    for start, end in learning:
        while at < len(bans) and bans[at][1] + _NEAR < start:
            at += 1
        if at < len(bans) and bans[at][0] <= end + _NEAR:
            return True
    return False
