"""Pages from templates. Everything is escaped; a name a template does not have is an error, not an empty place."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar.response import Response

from key2xs.keys.assumptions import ASSUMPTIONS

from . import words, words_adoption, words_coverage, words_desk, words_drift, words_ending
from .times import length, share_left

HTML: Final = "text/html; charset=utf-8"


@cache
def environment() -> Environment:
    """Return the one template environment."""
    made = Environment(
        loader=PackageLoader("key2xs.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        words=words,
        adoption_words=words_adoption,
        coverage_words=words_coverage,
        drift_words=words_drift,
        desk_words=words_desk,
        ending_words=words_ending,
        share_left=share_left,
        assumptions=ASSUMPTIONS,
    )
    made.filters.update(
        length_of=length,
        person_id=lambda value: UUID(str(value)),
        cylinder_in=lambda value, cylinders: cylinders.get(value),
        part=_part,
        plain=words.plain,
        sentence=_sentence,
        permit_state=lambda value: words.status_of(words.PERMIT_STATES, value),
        step_state=lambda value: words.status_of(words.STEP_STATES, value),
        grant_state=lambda value: words.status_of(words.GRANT_STATES, value),
        how_sure=words_desk.how_sure,
        certainty_word=lambda value: words.status_of(words_desk.CERTAINTIES, value),
        overdue_step=lambda value: words.status_of(words_desk.STEPS, value),
        exposure=lambda value: words.status_of(words.EXPOSURES, str(value)),
        event_class=lambda value: words.status_of(words.EVENT_CLASSES, value),
        zone_mode=lambda value: words.status_of(words.ZONE_MODES, value),
        freshness=lambda value: words.status_of(words.FRESHNESS, value),
    )
    return made


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template."""
    return environment().get_template(template).render(**values)


def html(text: str, *, status: int = 200) -> Response[str]:
    """Answer with a page. Nobody keeps a copy: what may open what is nothing for a shared computer's cache."""
    return Response(text, status_code=status, media_type=HTML, headers={"Cache-Control": "no-store"})


def _sentence(text: str) -> str:
    """Write a problem of a room as a sentence of a page."""
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")


_PARTS: Final = {
    "grants": "deciding access",
    "sequencer": "writing the log",
    "syslog": "sending to security monitoring",
    "inventory": "listing keys and locks",
    "events": "reading the locks' logs",
    "reconcile": "programming keys",
    "keys": "programming keys",
    "reader": "following the log",
}


def _part(name: str) -> str:
    """Name a part of the service in words: `events:iloq` is reading the locks' logs at iloq."""
    head, _, rest = name.partition(":")
    return f"{_PARTS.get(head, words.plain(head))}{f' ({rest})' if rest else ''}"
