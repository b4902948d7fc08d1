"""Write the connectors' scorecard into docs/reference/connectors.md, out of what the connectors and the chaos schedule say.

    python scripts/scorecard.py           write it
    python scripts/scorecard.py --check   fail if what is written is not what they say

Sources: manifest.toml and quality.toml of each connector, tests/connectors/contract/chaos.toml. Nothing is counted by hand.
"""

import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the schedule is read by what the tests read it with

from tests.connectors.contract.schedule import scenes  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "connectors.md"
CONNECTORS = ROOT / "src" / "key2xs" / "connectors"
LEVELS = ("bronze", "silver", "gold", "platinum")
BEGIN = "<!-- scorecard: written by scripts/scorecard.py -->\n"
END = "<!-- end of scorecard -->\n"
Toml = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Write the scorecard, or compare it."""
    old = PAGE.read_text(encoding="utf-8")
    new = with_scorecard(old)
    if "--check" not in arguments:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    if old != new:
        sys.stdout.write("docs/reference/connectors.md is out of date: python scripts/scorecard.py\n")
    return int(old != new)


def with_scorecard(page: str) -> str:
    """Return the page with the scorecard of today between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"{PAGE}: no place for the scorecard")
    return before + BEGIN + scorecard() + END + after


def scorecard() -> str:
    """Return levels, rules and chaos scenes of every connector as tables."""
    folders = sorted(path.parent for path in CONNECTORS.glob("*/manifest.toml"))
    manifests = {folder.name: _read(folder / "manifest.toml") for folder in folders}
    rules = {folder.name: _read(folder / "quality.toml") for folder in folders}
    parts = (_levels(manifests, rules), _rules(rules), _chaos(list(manifests)))
    return "\n" + "\n".join(parts) + "\n"


def _read(path: Path) -> Toml:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _levels(manifests: dict[str, Toml], rules: dict[str, Toml]) -> str:
    lines = [
        "| Connector | Level | Bronze | Silver | Gold | Platinum | Interface |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, manifest in manifests.items():
        counts = " | ".join(_met(rules[name][level]) for level in LEVELS)
        lines.append(f"| `{name}` | **{manifest['level']}** | {counts} | {manifest['interface']} |")
    return "\n".join(lines) + "\n"


def _met(level: Toml) -> str:
    """How many rules of a level are met, of how many."""
    open_rules = sum(rule["verdict"] == "todo" for rule in level.values())
    return f"{len(level) - open_rules} of {len(level)}"


def _rules(rules: dict[str, Toml]) -> str:
    names = list(rules)
    lines = [f"| Rule | {' | '.join(f'`{name}`' for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for level in LEVELS:
        every = dict.fromkeys(rule for name in names for rule in rules[name][level])
        lines += [
            f"| {level}: {rule} | {' | '.join(_verdict(rules[name][level].get(rule)) for name in names)} |"
            for rule in every
        ]
    return "\n".join(lines) + "\n"


def _verdict(rule: Toml | None) -> str:
    if rule is None:
        return "-"
    return f"{rule['verdict']}: {rule['reason']}" if "reason" in rule else str(rule["verdict"])


def _chaos(names: list[str]) -> str:
    """How many scenes there are of each kind; a scene that fails fails the tests, so all that are counted pass."""
    found = scenes()
    kinds = dict.fromkeys(kind for scene in found for kind in scene.kinds)
    head = [f"`{name}`{what}" for name in names for what in ("", ", every time")]
    lines = [f"| Chaos | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    every = {name: Counter(k for s in found if s.make == name for k in s.kinds) for name in names}
    quick = {name: Counter(k for s in found if s.make == name and s.quick for k in s.kinds) for name in names}
    for kind in kinds:
        cells = [str(count[name][kind]) for name in names for count in (every, quick)]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    totals = [
        str(sum(scene.make == name and (scene.quick or not often) for scene in found))
        for name in names
        for often in (False, True)
    ]
    lines.append(f"| scenes in all | {' | '.join(totals)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
