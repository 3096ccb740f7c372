"""What is asked over the network for some pictures, in which order? A site's own files first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from picdeed.sources.responses import Evidence, Recorded, origin_of, plain_url

Ask = Callable[[str], Sequence[Recorded]]
IsOpen = Callable[[Evidence, str], bool]


@dataclass(slots=True)
class Asking:
    """Asks each URL once. `live` holds the answers of one round, `asked` the URLs of all rounds.

    `is_open` says, from a site's answers, whether it lets us ask for a picture itself: a site that
    closes its robots.txt to picdeed is not asked for more than that file.
    """

    ask: Ask
    is_open: IsOpen
    places: Sequence[str]
    asked: set[str] = field(default_factory=set)
    live: Evidence = field(default_factory=Evidence)

    def round(self, urls: Sequence[str], known: Evidence) -> list[Recorded]:
        """Answers for what `known` lacks about these URLs; every redirect's site is asked too."""
        self.live = Evidence()
        for url in urls:
            origin = origin_of(url)
            if origin is None:
                continue
            self._site(origin, known)
            if self._lets_us(url, known):
                for answer in self._once(url, known):
                    other = origin_of(answer.url)
                    if other and other != origin:
                        self._site(other, known)
        return [answer for answers in self.live.by_url.values() for answer in answers]

    def _site(self, origin: str, known: Evidence) -> None:
        for place in self.places:
            self._once(origin + place, known)

    def _lets_us(self, url: str, known: Evidence) -> bool:
        return self.is_open(known, url) and self.is_open(self.live, url)

    def _once(self, url: str, known: Evidence) -> Sequence[Recorded]:
        key = plain_url(url)
        if key in self.asked or key in known.by_url:
            return ()
        self.asked.add(key)
        answers = self.ask(url)
        for answer in answers:
            self.live.add(answer)
        return answers
