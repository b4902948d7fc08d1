"""The page about adopting an existing site, run word by word against a served twin."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import ROOT, kill_under
from .site import free_port

PAGE = ROOT / "docs" / "how-to" / "adopt-an-existing-site.md"
BLOCK = re.compile(r"^```(sh|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WITHIN = 400  # seconds, on a busy machine


@pytest.mark.long
def test_every_command_of_the_page_runs_as_it_stands(open_folder: Path) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    settings = next(text for kind, text in blocks if kind == "toml")
    script = "\n".join(text for kind, text in blocks if kind == "sh")
    for port in ("8471", "8472", "8473"):
        # Other tests may run beside this one; nothing else of the page is changed.
        here = str(free_port())
        settings, script = settings.replace(port, here), script.replace(port, here)
    (open_folder / "site.toml").write_text(settings, encoding="utf-8")
    bins = Path(sys.executable).parent
    wrapped = f"set -eu\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n{script}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEY2XS_")} | {
        "PATH": f"{bins}:{os.environ['PATH']}",
        "TZ": "UTC",
        "COLUMNS": "200",
    }
    try:
        done = subprocess.run(
            ["bash", "-c", wrapped],
            cwd=open_folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
    finally:
        kill_under(open_folder)
    said = f"{done.stdout}\n{done.stderr}\n{(open_folder / 'serve.log').read_text() if (open_folder / 'serve.log').exists() else ''}"
    assert done.returncode == 0, f"{shlex.quote(script[-200:])}\n{said[-6000:]}"
    for expected in ("off (read-only)", "keys without holder", "Roll-out: week", "First difference", "done"):
        assert expected in done.stdout, said[-6000:]
    assert len((open_folder / "keys-without-holder.csv").read_text().splitlines()) > 100
