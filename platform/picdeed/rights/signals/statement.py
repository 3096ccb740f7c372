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

PARSER = "statement/1"

_RESERVED = re.compile(
    r"all\s+rights?\s+(?:are\s+)?reserved|alle\s+rechte\s+vorbehalten"
    r"|tous\s+droits\s+r[ée]serv[ée]s|todos\s+los\s+derechos\s+reservados"
    r"|todos\s+os\s+direitos\s+reservados|tutti\s+i\s+diritti\s+riservati"
    r"|alle\s+rechten\s+voorbehouden|все\s+права\s+защищены",
    re.IGNORECASE,
)
# Words about machines that learn; with them a text is never passed over in silence.
_ABOUT_AI = re.compile(
    r"\b(?:(?-i:AI|A\.I\.|TDM|KI)|artificial\s+intelligence|machine\s+learning|generative"
    r"|(?:data|text)\s*mining|scraping|train(?:ing)?\b.{0,40}\bmodels?)\b",
    re.IGNORECASE | re.DOTALL,
)


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
