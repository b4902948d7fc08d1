"""What may never be in the repository is caught. Bad words are put together here, so that this file may stay."""

import subprocess
from pathlib import Path

import pytest

from scripts.scan import files_of_the_repository, main, scan_text


def problems(text: str) -> list[str]:
    return [problem for _, problem in scan_text(text)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("see https://files.python" + "hosted.org/packages/x", "registry"),
        ("pip install -i https://PyPI" + ".org/simple", "registry"),
        ('<script src="https://unp' + 'kg.com/htmx.org"></script>', "registry"),
        ("deb http://deb.deb" + "ian.org/debian bookworm main", "registry"),
        ('  "resol' + 'ved": "https://example.test/x.tgz",', "lock entry"),
        ("--extra-index" + "-url https://example.test/simple", "package index"),
        ("--find" + "-links file:///opt/wheels", "package index"),
        ('path = "/wo' + 'rk/main"', "one machine"),
        ("cd /ro" + "ot/.cache", "one machine"),
        ("see /tmp/bash_" + "jobs.0/x", "one machine"),
        ("in /ho" + "me/somebody/key2xs", "home"),
        ("<" * 7 + " HEAD", "merge"),
        (">" * 7 + " branch", "merge"),
        ("# FIX" + "ME this is wrong", "unfinished"),
        ("# TO" + "DO: nicer", "condition"),
        ("# TO" + "DO(somebody) nicer when it rains", "condition"),
    ],
)
def test_what_may_not_be_there_is_found(text: str, problem: str) -> None:
    assert any(problem in found for found in problems(f"first line\n{text}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "from key2xs.work.service import receive_event  # src/key2xs/work/service.py",
        "POST /api/v1/work/permits",
        "uv pip compile --no-emit-index-url --no-emit-find-links",
        "Heading\n=======\n",
        "# TO" + "DO: goes when the chain of migrations is complete",
        "the root of the tree, the tree's root/leaf pair",
        "the homepage of the console is /",
        "https://example.test/work/of/others",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert problems(text) == []


def test_the_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("good\n" + "<" * 7 + " HEAD\n")
    assert main([str(bad)]) == 1
    assert capsys.readouterr().out == f"{bad}:2: merge marker\n"


def test_files_that_are_not_text_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe" + b"<" * 7)
    assert main([str(tmp_path / "picture.png")]) == 0


def test_a_file_nobody_added_yet_is_scanned_and_an_ignored_one_is_not(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for name, text in ((".gitignore", "ignored.txt\n"), ("new.txt", "x"), ("ignored.txt", "x")):
        (tmp_path / name).write_text(text)
    assert files_of_the_repository(tmp_path) == [tmp_path / ".gitignore", tmp_path / "new.txt"]


def test_this_repository_is_clean() -> None:
    assert main([]) == 0
