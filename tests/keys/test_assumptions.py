"""The published list of assumptions is complete, and the page that explains it names the same ones."""

import re
from pathlib import Path

from key2xs.keys.assumptions import ASSUMPTIONS, AssumptionId
from key2xs.keys.exposure import ExposureSettings

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "exposure.md"


def test_every_assumption_is_published_with_a_text_and_a_source() -> None:
    assert set(ASSUMPTIONS) == set(AssumptionId)
    assert all(item.text.endswith(".") and item.source for item in ASSUMPTIONS.values())


def test_the_page_explains_every_assumption_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(rows) == sorted(AssumptionId)


def test_a_setting_that_an_assumption_names_exists() -> None:
    named = {name for item in ASSUMPTIONS.values() if item.setting for name in item.setting.split(", ")}
    assert named == set(ExposureSettings.__dataclass_fields__)
