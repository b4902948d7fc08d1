"""Every connector says what it is, sources every limit, and claims no more than it has done."""

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import key2xs.connectors
from scripts import scorecard
from tests.connectors.contract.schedule import scenes

FOLDERS = sorted(
    path
    for path in Path(next(iter(key2xs.connectors.__path__))).iterdir()
    if path.is_dir() and path.name[0] != "_"
)
LEVELS = ("bronze", "silver", "gold", "platinum")
pytestmark = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def load(folder: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((folder / name).read_text(encoding="utf-8"))


def test_a_connector_says_what_it_is(folder: Path) -> None:
    manifest = load(folder, "manifest.toml")
    assert manifest["name"] == folder.name
    for field in ("title", "maker", "interface", "covers", "port"):
        assert manifest[field].strip(), field
    module, _, name = manifest["port"].partition(":")
    assert hasattr(import_module(module), name)
    assert manifest["capabilities"]
    assert all(isinstance(answer, str) and answer for answer in manifest["capabilities"].values())


def test_every_limit_has_a_source_and_a_mark(folder: Path) -> None:
    limits = load(folder, "manifest.toml")["limits"]
    assert limits
    ids = [limit["id"] for limit in limits]
    assert len(ids) == len(set(ids))
    for limit in limits:
        assert limit.keys() == {"id", "text", "value", "source", "mark"}, limit["id"]
        assert all(str(value).strip() for value in limit.values()), limit["id"]
        assert limit["mark"] in {"doc", "code", "inf"}, limit["id"]


def test_every_rule_has_a_verdict_and_what_is_not_done_has_a_reason(folder: Path) -> None:
    quality = load(folder, "quality.toml")
    assert tuple(quality) == LEVELS
    for level in LEVELS:
        for name, rule in quality[level].items():
            assert rule["verdict"] in {"done", "todo", "exempt"}, name
            assert rule["verdict"] == "done" or rule.get("reason", "").strip(), name


def test_the_level_claimed_is_the_level_reached(folder: Path) -> None:
    quality = load(folder, "quality.toml")
    reached = "none"
    for level in LEVELS:
        if any(rule["verdict"] == "todo" for rule in quality[level].values()):
            break
        reached = level
    assert load(folder, "manifest.toml")["level"] == reached


def test_a_chaos_rule_is_done_only_if_the_schedule_plays_it_every_time(folder: Path) -> None:
    every = [scene for scene in scenes() if scene.make == folder.name]
    assert every, "no scene of the chaos schedule plays this connector"
    kinds = {kind for scene in every for kind in scene.kinds}
    often = {kind for scene in every if scene.quick for kind in scene.kinds}
    rules = load(folder, "quality.toml")["platinum"]
    claimed = {name.removeprefix("chaos-"): rule for name, rule in rules.items() if name.startswith("chaos-")}
    assert claimed.keys() == kinds, "a rule for each kind of the schedule, and no other"
    assert {kind for kind, rule in claimed.items() if rule["verdict"] == "done"} <= often


def test_the_scorecard_says_what_the_files_say(folder: Path) -> None:
    page = scorecard.PAGE.read_text(encoding="utf-8")
    assert page == scorecard.with_scorecard(page), "python scripts/scorecard.py"
    level = load(folder, "manifest.toml")["level"]
    assert f"| `{folder.name}` | **{level}** |" in page


def test_a_connector_has_a_page_with_the_usual_headings(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    for heading in ("## Set-up", "## Assumptions", "## Failure signs", "## How to remove it"):
        assert heading in text, heading
