"""Run every check, all of them even when one fails, and print the time of each.

python scripts/check.py [NAME...]
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BIN = Path(sys.executable).parent
_TYPED = ("src", "tests", "scripts", "benchmarks")

CHECKS = {
    "lint": [str(_BIN / "ruff"), "check", "--quiet", "."],
    "format": [str(_BIN / "ruff"), "format", "--check", "--quiet", "."],
    "types": [str(_BIN / "mypy"), *(name for name in _TYPED if (ROOT / name).is_dir())],
    # Its own starter may stand under a path with spaces, so ask the interpreter.
    "rooms": [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-logo",
    ],
    "house rules": [sys.executable, "scripts/houselint.py"],
    "forbidden words": [sys.executable, "scripts/scan.py"],
    "scorecard": [sys.executable, "scripts/scorecard.py", "--check"],
}


def main(names: list[str]) -> int:
    """Run the named checks, or all; returns the exit code."""
    if unknown := [name for name in names if name not in CHECKS]:
        print(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    failed = [name for name in names or CHECKS if not run(name)]
    print("check: " + (f"FAILED {', '.join(failed)}" if failed else "all good"))
    return 1 if failed else 0


def run(name: str) -> bool:
    """Run one check; its words appear only if it fails."""
    started = time.monotonic()
    done = subprocess.run(
        CHECKS[name], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    good = done.returncode == 0
    print(f"{'ok    ' if good else 'FAILED'} {name} ({time.monotonic() - started:.1f} s)", flush=True)
    if not good:
        print(done.stdout, flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
