"""House rules that no off-the-shelf linter knows.

    python scripts/houselint.py              src, scripts, benchmarks
    python scripts/houselint.py FILE...      these files

- `wall-clock`: the clock is asked at one place only, `core/clock.py`. Everything else gets `at` or `now` as an
  argument; SQL gets it as a parameter. Otherwise a demo that steps the night, a replay and a test disagree.
- `personal-log`: no personal field in a log call. Operators' logs are kept and shipped where erasing a person
  does not reach; log ids.

A line that must break a rule says so and why: `# house: wall-clock - certificates are checked against real time`
(in SQL: `-- house: ...`). An exception without a reason is a find itself.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "scripts", "benchmarks")

# Files that may ask the wall clock, and why.
CLOCK_FILES = {
    "src/key2xs/core/clock.py": "the one place",
    "src/key2xs/core/ids.py": "the time part of an id keeps index pages together and means nothing",
    "src/key2xs_twin/cli.py": "the edge where the twin's own process begins",
}

_WALL_CLOCK = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
}

_SQL_CLOCK = re.compile(
    r"\b(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(\s*\)"
    r"|\b(?:current_timestamp|current_date|current_time|localtimestamp|localtime)\b",
    re.IGNORECASE,
)
_SQL_WORDS = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|DEFAULT|VALUES)\b")

_LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_LOGGERS = re.compile(r"^_?(?:log|logger|logging)$", re.IGNORECASE)
_PERSONAL_KEYS = frozenset(
    {
        "birth_date",
        "display_name",
        "email",
        "family_name",
        "first_name",
        "full_name",
        "given_name",
        "last_name",
        "mail",
        "mobile",
        "name",
        "person_name",
        "phone",
        "surname",
        "user_name",
        "username",
    }
)
# As the value of an argument, `loop.name` is innocent; these never are.
_PERSONAL_VALUES = _PERSONAL_KEYS - {"name", "username", "user_name"}

_EXCEPTION = re.compile(r"(?:#|--)\s*house:\s*(?P<rule>[a-z-]+)(?P<reason>\s+-\s+\S.*)?")


@dataclass(frozen=True, order=True)
class Find:
    """One broken rule."""

    line: int
    rule: str
    problem: str


def lint_python(text: str, *, may_ask_clock: bool = False) -> list[Find]:
    """Return what Python source breaks."""
    tree = ast.parse(text)
    names = _imported_names(tree)
    finds: list[Find] = []
    for node in ast.walk(tree):
        if not may_ask_clock:
            finds += _wall_clock(node, names)
        finds += _personal_log(node)
    # A set: the parts of an f-string are strings too.
    return _without_exceptions(sorted(set(finds)), text)


def lint_sql(text: str) -> list[Find]:
    """Return what an SQL file breaks; comments may say what they like."""
    finds = [
        Find(number, "wall-clock", f"{found[0]} in SQL; pass the instant as a parameter")
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := _SQL_CLOCK.search(line.partition("--")[0]))
    ]
    return _without_exceptions(finds, text)


def lint_files(files: list[Path]) -> list[str]:
    """Return one line per find."""
    lines = []
    for file in files:
        shown = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else str(file)
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".sql":
            finds = lint_sql(text)
        else:
            finds = lint_python(text, may_ask_clock=shown in CLOCK_FILES)
        lines += [f"{shown}:{find.line}: {find.rule}: {find.problem}" for find in sorted(finds)]
    return lines


def _wall_clock(node: ast.AST, names: dict[str, str]) -> Iterator[Find]:
    if isinstance(node, ast.Attribute | ast.Name):
        path = _dotted(node, names)
        if path in _WALL_CLOCK:
            yield Find(
                node.lineno, "wall-clock", f"{path}; take `at` or `now` as an argument, or ask the Clock"
            )
    elif isinstance(node, ast.expr):
        text = _text_of(node)
        found = _SQL_CLOCK.search(text)
        if found and _SQL_WORDS.search(text):
            yield Find(node.lineno, "wall-clock", f"{found[0]} in SQL; pass the instant as a parameter")


def _text_of(node: ast.AST) -> str:
    """Return the text of a string or f-string, "" for anything else."""
    if isinstance(node, ast.JoinedStr):
        return " ".join(_text_of(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _personal_log(node: ast.AST) -> Iterator[Find]:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return
    if node.func.attr not in _LOG_METHODS or not _LOGGERS.match(_last_name(node.func.value)):
        return
    keys = {keyword.arg for keyword in node.keywords if keyword.arg}
    for part in ast.walk(node):
        if isinstance(part, ast.Dict):
            keys |= {str(key.value) for key in part.keys if isinstance(key, ast.Constant)}
    values = {_last_name(part) for part in ast.walk(node) if isinstance(part, ast.Attribute | ast.Name)}
    for word in sorted((keys & _PERSONAL_KEYS) | (values & _PERSONAL_VALUES)):
        yield Find(node.lineno, "personal-log", f"`{word}` in a log call; log an id")


def _imported_names(tree: ast.AST) -> dict[str, str]:
    """Map local names to what they were imported as, for the modules that tell the time."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module in {"datetime", "time"}:
            for alias in node.names:
                # `from datetime import datetime` makes `datetime` the class, whose calls read `datetime.now`.
                original = alias.name if node.module == "datetime" else f"time.{alias.name}"
                names[alias.asname or alias.name] = original
    return names


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return ""


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _without_exceptions(finds: list[Find], text: str) -> list[Find]:
    """Drop what a line's own comment excuses; an excuse without a reason becomes a find."""
    lines = text.splitlines()
    kept = []
    for find in finds:
        excuse = _EXCEPTION.search(lines[find.line - 1])
        if excuse is None or excuse["rule"] != find.rule:
            kept.append(find)
        elif excuse["reason"] is None:
            kept.append(Find(find.line, find.rule, "the exception gives no reason"))
    return kept


def main(arguments: list[str]) -> int:
    """Lint; returns the exit code."""
    files = [Path(name).resolve() for name in arguments] or [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".sql"} and path.is_file()
    ]
    found = lint_files(files)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
