"""Children of the demo say when they are ready, and never outlive it."""

import sys
from pathlib import Path

import pytest

from key2xs_demo.processes import Process, ProcessFailed, run

READY = "import time; print('hello', flush=True); print('ready: 1', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


async def test_a_child_is_ready_when_it_says_so(tmp_path: Path) -> None:
    child = _child(READY, tmp_path)
    await child.start()
    try:
        assert await child.line("ready") == "ready: 1"
    finally:
        await child.stop(within=5)
    assert "hello" in child.last_words()


async def test_a_child_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = _child("import sys; sys.exit('the port is taken')", tmp_path)
    await child.start()
    with pytest.raises(ProcessFailed, match="the port is taken"):
        await child.line("ready")
    await child.stop()


async def test_a_child_that_will_not_end_is_ended(tmp_path: Path) -> None:
    child = _child(STUBBORN, tmp_path)
    await child.start()
    await child.line("ready")
    await child.stop(within=0.2)


async def test_settings_of_another_installation_do_not_reach_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY2XS_PRODUCTION", "true")
    code, output = await run(
        [sys.executable, "-c", "import os; print(sorted(n for n in os.environ if n.startswith('KEY2XS_')))"],
        environment={"KEY2XS_URL": "http://127.0.0.1:1"},
    )
    assert (code, output.strip()) == (0, "['KEY2XS_URL']")


def _child(program: str, folder: Path) -> Process:
    return Process("the child", [sys.executable, "-c", program], folder / "child.log")
