"""The import contracts catch what they are for: each is broken on purpose in a copy of the source."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Contract, file to break it in, what to put there.
FAULTS = {
    "Rooms depend one way": ("key2xs/core/planted.py", "import key2xs.ledger"),
    "Product and twin never know each other": ("key2xs_twin/planted.py", "import key2xs.core.ids"),
    "Only the installation knows connectors": ("key2xs/keys/planted.py", "import key2xs.connectors.iloq"),
    "Connectors see core and the port": ("key2xs/connectors/planted.py", "import key2xs.grants"),
    "Policy: no database": ("key2xs/policy/planted.py", "import asyncpg"),
    "Safety: six rules": ("key2xs/safety/planted.py", "import asyncpg"),
    "Ledger: no web framework": ("key2xs/ledger/planted.py", "import litestar"),
}


def verdicts(source: Path) -> dict[str, bool]:
    """Return each contract's name and whether it is kept by the packages under `source`."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-logo",
            "--no-cache",
            "--config",
            str(ROOT / "pyproject.toml"),
        ],
        cwd=source,
        env=os.environ | {"PYTHONPATH": str(source), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(\S.*) (KEPT|BROKEN)$", done.stdout, flags=re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {name: verdict == "KEPT" for name, verdict in found}


def test_every_contract_catches_the_fault_planted_for_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "static"))
    for file, text in FAULTS.values():
        (tmp_path / "src" / file).write_text(f'"""Planted."""\n\n{text}\n')
    found = verdicts(tmp_path / "src")
    for contract in FAULTS:
        assert [kept for name, kept in found.items() if name.startswith(contract)] == [False], contract
    assert len(found) == len(FAULTS), "a contract without a fault planted for it"
