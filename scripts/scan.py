"""Refuse what may never be in the repository: registry addresses, one machine's paths, merge leftovers, loose ends.

    python scripts/scan.py           every file git tracks or would track
    python scripts/scan.py FILE...   these files

Locks pin by hash and are fetched from whatever registry a site uses, so an address in a file is a mistake, and
so is a path that exists on one machine only.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# In two halves, so that this file passes its own rules.
_REGISTRIES = "|".join(
    re.escape(first + second)
    for first, second in (
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("registry.np", "mjs"),
        ("registry.ya", "rnpkg"),
        ("npmmi", "rror.com"),
        ("unp", "kg.com"),
        ("cdn.jsde", "livr.net"),
        ("cdnjs.cloud", "flare.com"),
        ("deb.deb", "ian.org"),
        ("security.deb", "ian.org"),
        ("archive.ubu", "ntu.com"),
        ("proxy.gol", "ang.org"),
        ("index.cra", "tes.io"),
    )
)

# A path counts from its first slash: `src/key2xs/work/` is ours, a root folder of that name is a machine's.
_START = r"(?<![\w/.)}\]*$-])"

_LOOSE_ENDS = "|".join(first + second for first, second in (("FIX", "ME"), ("XX", "X"), ("HA", "CK")))
_TODO = "TO" + "DO"


@dataclass(frozen=True)
class Rule:
    """A pattern that may not occur, and what to say when it does."""

    pattern: re.Pattern[str]
    problem: str


RULES = (
    Rule(re.compile(_REGISTRIES, re.IGNORECASE), "address of a package registry"),
    Rule(re.compile('"resol' + 'ved"\\s*:'), "lock entry with an address; see `make lock`"),
    Rule(
        re.compile(r"^\s*--(?:(?:extra-)?index-url|find-links|trusted-host)\b"),
        "package index option in a requirements file",
    ),
    Rule(re.compile(_START + r"/(?:wo" + r"rk|ro" + r"ot|fa" + r"rm)/"), "path of one machine"),
    Rule(re.compile(_START + r"/(?:ho" + r"me|Us" + r"ers)/\w+"), "somebody's home folder"),
    Rule(re.compile("bash_" + "jobs"), "path of one machine"),
    Rule(re.compile(r"^(?:<{7}|>{7}|\|{7})(?: |$)"), "merge marker"),
    Rule(re.compile(rf"\b(?:{_LOOSE_ENDS})\b"), "unfinished work without a condition"),
    Rule(
        # "...: goes when X", "...: until X", "...: once X", "...: as soon as X".
        re.compile(rf"\b{_TODO}\b(?!: .*\b(?:when|until|once|as soon as)\b)"),
        f"a {_TODO} that does not name the condition that ends it",
    ),
)


def scan_text(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and problem of everything that may not be there."""
    for number, line in enumerate(text.splitlines(), start=1):
        for rule in RULES:
            if rule.pattern.search(line):
                yield number, rule.problem


def scan_files(files: list[Path]) -> list[str]:
    """Return one line per find; files that are not text are passed over."""
    found = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        found += [f"{shown}:{number}: {problem}" for number, problem in scan_text(text)]
    return found


def files_of_the_repository(root: Path = ROOT) -> list[Path]:
    """Return what git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted({root / name for name in listed.stdout.split("\0") if name})


def main(arguments: list[str]) -> int:
    """Scan; returns the exit code."""
    found = scan_files([Path(name).resolve() for name in arguments] or files_of_the_repository())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
