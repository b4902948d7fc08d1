"""The words on operators' pages."""

import re
from importlib.resources import files
from typing import get_args
from uuid import UUID

import pytest

from key2xs.console import words
from key2xs.console.people import Alias, pseudonym
from key2xs.core.ids import PersonId
from key2xs.grants.types import EndReason, GrantState
from key2xs.keys.exposure_types import ExposureKind
from key2xs.keys.types import EventClass
from key2xs.plant.types import ZoneMode
from key2xs.policy.types import BasisKind
from key2xs.work.states import STATES
from key2xs.work.types import StepState

# What the program calls these things means nothing, or something else, to the people who read the pages.
NEVER = re.compile(
    r"\b(?:leases?|sinks?|cedar|checkpoints?|readers?|blast radius|live work|bundle|hash)\b", re.IGNORECASE
)
_CODE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]+>", re.DOTALL)


def _templates() -> list[tuple[str, str]]:
    folder = files("key2xs.console") / "templates"
    return [(each.name, each.read_text(encoding="utf-8")) for each in folder.iterdir()]


@pytest.mark.parametrize(("name", "text"), _templates())
def test_no_template_says_a_word_of_the_program(name: str, text: str) -> None:
    assert not NEVER.search(_CODE.sub(" ", text)), name


def test_no_status_says_a_word_of_the_program() -> None:
    for name, table in vars(words).items():
        if name.isupper() and isinstance(table, dict):
            for value in table.values():
                assert not NEVER.search(str(getattr(value, "word", value))), value
                assert not NEVER.search(getattr(value, "hint", "")), value


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (words.PERMIT_STATES, STATES),
        (words.STEP_STATES, get_args(StepState)),
        (words.GRANT_STATES, get_args(GrantState)),
        (words.ENDINGS, get_args(EndReason)),
        (words.BASES, get_args(BasisKind)),
        (words.EVENT_CLASSES, get_args(EventClass)),
        (words.EXPOSURES, list(ExposureKind)),
        (words.ZONE_MODES, get_args(ZoneMode)),
    ],
)
def test_every_state_has_its_word(table: dict[str, object], values: list[str]) -> None:
    assert set(map(str, values)) <= set(map(str, table))


def test_a_state_of_a_newer_version_is_never_shown_as_good() -> None:
    shown = words.status_of(words.PERMIT_STATES, "some_new_state")
    assert (shown.word, shown.tone) == ("some new state", "warn")


@pytest.mark.parametrize(
    "table",
    [
        words.PERMIT_STATES,
        words.STEP_STATES,
        words.GRANT_STATES,
        words.EVENT_CLASSES,
        words.EXPOSURES,
        words.FRESHNESS,
    ],
)
def test_statuses_differ_in_more_than_colour(table: dict[str, words.Status]) -> None:
    seen: dict[tuple[str, str], words.Status] = {}
    for status in table.values():
        twin = seen.setdefault((status.word, status.shape), status)
        assert twin.tone == status.tone
    assert len({status.word for status in table.values()}) == len(table)


def test_progress_uses_the_words_of_the_glossary_and_the_vendors_name() -> None:
    shown = [
        words.progress(p, "iloq").word for p in ("requested", "accepted", "in_transit", "delivered", "lapsed")
    ]
    assert shown == ["asked", "accepted by iLOQ", "on its way", "in the key", "run out"]


def test_a_pseudonym_is_short_stable_and_without_letters_that_look_alike() -> None:
    one = UUID("01934b0a-0000-7000-8000-0000000fffff")
    assert pseudonym(one) == pseudonym(one) == "P-ZZZZ"
    assert pseudonym(UUID("01934b0a-0000-7000-8000-00000000002a")) == "P-001A"
    assert str(Alias(PersonId(one), "P-7F3A", "Rotor & Seal")) == "P-7F3A \N{MIDDLE DOT} Rotor & Seal"
    assert str(Alias(PersonId(one), "P-7F3A", None)) == "P-7F3A"
