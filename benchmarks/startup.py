"""From `key2xs serve` to the first answered request: on an empty folder, and again on what the first start left.

The baseline is the part nobody can take away: making and starting PostgreSQL, or starting it again.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx2

from benchmarks.support import command, machine
from key2xs.core.postgres import start_cluster

ROUNDS = 3
READY_SECONDS = 60.0


def run(seed: int) -> list[dict[str, Any]]:
    """Measure and return two `build/bench` records."""
    cold, warm, bare_cold, bare_warm = [], [], [], []
    for _ in range(ROUNDS):
        folder = Path(tempfile.mkdtemp(prefix="k2xb-"))
        folder.chmod(0o755)
        try:
            bare_cold.append(_start_postgres(folder / "bare"))
            bare_warm.append(_start_postgres(folder / "bare"))
            cold.append(_start(folder / "var"))
            warm.append(_start(folder / "var"))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return [
        _record("startup_cold", cold, bare_cold, seed),
        _record("startup_warm", warm, bare_warm, seed),
    ]


def _record(name: str, times: list[float], bare: list[float], seed: int) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(min(times), 2),
        "unit": "s",
        "p50": round(sorted(times)[len(times) // 2], 2),
        "p99": round(max(times), 2),
        "ratio": round(min(times) / min(bare), 2),
        "baseline": round(min(bare), 2),
        "command": command("startup", seed),
        "machine": machine(),
        "seed": seed,
    }


def _start_postgres(folder: Path) -> float:
    start = perf_counter()
    with start_cluster(data_dir=folder):
        return perf_counter() - start


def _start(folder: Path) -> float:
    environment = os.environ | {"KEY2XS_DATA_DIR": str(folder), "KEY2XS_HTTP__PORT": "18443"}
    start = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "key2xs.cli", "serve"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx2.Client(timeout=READY_SECONDS) as client:
            # The ready line comes when the socket is open; the first answer is what counts.
            assert process.stdout is not None
            process.stdout.readline()
            assert client.get("http://127.0.0.1:18443/healthz").status_code in {200, 503}
        return perf_counter() - start
    finally:
        process.terminate()
        process.wait(READY_SECONDS)
