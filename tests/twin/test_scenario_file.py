"""A scenario as a file: played again it gives the same bytes; what is wrong with it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from key2xs_twin.cli import main

FILE = """
name = "a lost phone"
site = "S"
seed = 7
begin = 2026-07-01T15:00:00Z
minutes = 90

[limits.iloq]
per_second = 5
per_day = 2000

[[act]]
at_minutes = 20
act = "present"
key = "1001"
lock = "CDU-001"
person = "u10001"

[[act]]
at_minutes = 5
act = "cut_network"
thing = "1009"

[[act]]
at_minutes = 30
act = "lose"
key = "1009"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "night.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def played(capsys: pytest.CaptureFixture[str], file: Path, *more: str, code: int = 0) -> dict[str, object]:
    with pytest.raises(SystemExit) as ended:
        main(["play", str(file), *more])
    assert (ended.value.code or 0) == code
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def test_a_file_played_again_gives_the_same_bytes_and_another_seed_others(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again = played(capsys, file), played(capsys, file)
    assert first == again
    assert (first["acts"], first["openings"], first["now"]) == (3, 1, "2026-07-01T16:30:00+00:00")
    assert played(capsys, file, "--seed", "8")["digest"] != first["digest"]


def test_a_fault_that_never_fired_ends_the_play_with_1(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = '[[fault]]\noperation = "GET Keys"\neffect = "status:503"\nfrom_minutes = 3\n'
    file.write_text(FILE + fault, encoding="utf-8")
    assert played(capsys, file, code=1)["faults"] == {"GET Keys status:503": 0}


def test_the_same_in_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    acts = [{"at_minutes": 1, "act": "lose", "key": "1009"}]
    path = file.with_suffix(".json")
    path.write_text(json.dumps({"begin": "2026-07-01T15:00:00Z", "act": acts}), encoding="utf-8")
    assert played(capsys, path)["acts"] == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("weather = 1", "no such field: weather"),
        ('site = "XL"', "Invalid enum value 'XL'"),
        ("begin = 2026-07-01T15:00:00", "begin needs an offset"),
        ('[[act]]\nact = "lose"\nkey = "1009"', "act 1 needs at_minutes"),
        ('[[act]]\nat_minutes = 1\nact = "fly"', "act 1: Invalid value 'fly'"),
        ('[[fault]]\noperation = "* **"\neffect = "explode"', "unknown fault effect 'explode'"),
        ("[limits.cliq]\nper_second = 0", "a rate is above 0"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(SystemExit, match=words):
        main(["play", str(path)])
