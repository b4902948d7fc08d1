"""The command: what it asks, what it prints, and its exit codes."""

import io
from pathlib import Path

import pytest

from key2xs.access import permissions_of
from key2xs.cli.answers import show_exposure
from key2xs.cli.commands import run_command
from tests.api.conftest import PASSWORD, Site
from tests.api.leases import add_keys, company_with, give_grant, states
from tests.api.plant import FILES, import_plant
from tests.cli.conftest import Shell, token_of


async def test_who_can_open_answers_yes_no_and_not_known(site: Site, shell: Shell) -> None:
    await import_plant(site)
    code, answer = await shell.json("who-can-open", "CDU-001")
    assert code == 3  # no key system is connected: nobody is known, and nobody could be
    assert list(answer) == ["cylinder", "at", "as_of", "can_open", "unknown"]
    assert answer["can_open"] == []
    await add_keys(site, "1001")
    async with site.services.database.transaction() as tx:
        system = (await site.services.registry.systems(tx))[0]
        await tx.execute(
            "INSERT INTO key_cursor (system_id, cursor, pulled_at) VALUES ($1, 'c', $2)",
            system.id,
            site.clock.now(),
        )
    code, answer = await shell.json("who-can-open", "CDU-001", "--at", site.clock.now().isoformat())
    assert (code, answer["unknown"]) == (1, [])
    code, out, _ = await shell.run("who-can-open", "CDU-001")
    assert code == 1
    assert "mechanical keys" in out


async def test_wrong_use_is_2_and_names_what_is_wrong(shell: Shell) -> None:
    for arguments in (
        ["who-can-open"],
        ["who-can-open", "C9"],
        ["who-can-open", "C9", "--at", "yesterday"],
        ["no-such-command"],
        ["exposure"],
        ["exposure", "--key", "1", "--person", "2"],
        ["revoke", "--key", "1"],
        ["import", "areas", "/nowhere/areas.csv"],
    ):
        code, _, _ = await shell.run(*arguments)
        assert code == 2, arguments


async def test_without_a_token_it_says_so(shell: Shell) -> None:
    code, _, err = await shell.run("exposure", "--key", "1", token="")
    assert code == 2
    assert "token" in err


def test_no_answer_is_not_a_no(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["who-can-open", "C1", "--url", "http://127.0.0.1:9"]) == 3
    assert "no answer" in capsys.readouterr().err


async def test_a_file_is_looked_at_and_then_imported(site: Site, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "areas.csv"
    file.write_text(FILES["areas"], encoding="utf-8")
    code, out, _ = await shell.run("import", "areas", str(file), "--dry-run")
    assert (code, "would be" in out) == (0, True)
    code, answer = await shell.json("import", "areas", str(file))
    assert (code, answer["added"]) == (0, 1)
    file.write_text("code,name\n,nameless\n", encoding="utf-8")
    code, out, _ = await shell.run("import", "areas", str(file))
    assert code == 1
    assert "line 2, code" in out


async def test_revoking_looks_first_and_then_revokes(site: Site, shell: Shell) -> None:
    person = await site.person()
    await give_grant(site, person)
    code, out, _ = await shell.run(
        "revoke", "--person", str(person), "--reason", "left the site", "--dry-run"
    )
    assert (code, await states(site)) == (0, ["active"])
    assert "Nothing was changed" in out
    code, answer = await shell.json("revoke", "--person", str(person), "--reason", "left the site")
    assert (code, answer["state"], await states(site)) == (0, "revoked", ["ended"])


async def test_a_company_waits_for_a_second_person(site: Site, shell: Shell) -> None:
    for person in await company_with(site, "v001", 2):
        await give_grant(site, person)
    code, out, _ = await shell.run("revoke", "--company", "v001", "--reason", "breach")
    assert (code, await states(site)) == (0, ["active", "active"])
    assert "second person" in out


async def test_what_may_not_be_done_is_a_no(site: Site, shell: Shell) -> None:
    auditor = await token_of(site, "auditor")
    code, _, err = await shell.run("revoke", "--company", "v001", "--reason", "breach", token=auditor)
    assert code == 1
    assert "grants:set:propose" in err


async def test_explain_says_what_is_missing_and_the_smallest_change(site: Site, shell: Shell) -> None:
    await import_plant(site)
    person = await site.person()
    code, answer = await shell.json("explain", str(person), "CDU-001")
    assert (code, answer["verdict"]) == (1, "deny")
    code, out, _ = await shell.run("explain", str(person), "CDU-001")
    assert code == 1
    assert "smallest change" in out


async def test_exposure_of_a_key_that_was_never_read_is_not_known(site: Site, shell: Shell) -> None:
    await add_keys(site, "1001")
    code, answer = await shell.json("exposure", "--key", "1001")
    assert code == 3
    assert answer["keys"][0]["as_of"] is None
    code, out, _ = await shell.run("exposure", "--key", "1001")
    assert "age unknown" in out


async def test_a_user_and_a_token_are_made_and_work(site: Site, admin: Shell) -> None:
    code, user = await admin.json(
        "user", "add", "new", "--role", "soc", "--role", "auditor", "--reason", "for the test"
    )
    assert code == 0
    signed_in = await site.client().post(
        "/api/v1/session", json={"login": "new", "password": user["one_time_password"]}
    )
    assert signed_in.status_code == 201
    code, made = await admin.json(
        "token",
        "add",
        "narrow",
        "--permission",
        "plant:cylinder:read",
        "--days",
        "3",
        "--reason",
        "for the test",
    )
    assert code == 0
    code, _, _ = await admin.run("who-can-open", "CDU-001", token=made["token"])
    assert code == 1  # may not


async def test_a_user_is_changed_and_kept_out(site: Site, admin: Shell) -> None:
    person = await site.person()
    _, made = await admin.json("user", "add", "new", "--role", "soc", "--reason", "for the test")
    user = made["id"]
    code, changed = await admin.json(
        "user", "roles", user, "--role", "hse", "--role", "auditor", "--reason", "for the test"
    )
    assert (code, changed["roles"]) == (0, ["auditor", "hse"])
    _, linked = await admin.json("user", "link", user, "--person", str(person), "--reason", "for the test")
    assert linked["person"] == str(person)
    _, kept = await admin.json("user", "roles", user, "--role", "hse", "--reason", "for the test")
    assert kept["person"] == str(person)  # setting roles leaves the person alone
    _, unlinked = await admin.json("user", "link", user, "--reason", "for the test")
    assert unlinked["person"] is None
    code, out, _ = await admin.run("user", "password", user, "--reason", "for the test")
    assert "One-time password" in out
    code, out, _ = await admin.run("user", "list")
    assert "no second person until" in out
    assert (await admin.run("user", "disable", user, "--reason", "for the test"))[0] == 0
    assert (await admin.run("user", "disable", user, "--reason", "for the test"))[0] == 1
    assert (await admin.run("user", "roles", str(person), "--role", "hse", "--reason", "for the test"))[
        0
    ] == 2


async def test_sign_ins_and_tokens_are_listed_and_ended(site: Site, admin: Shell) -> None:
    person = await site.signed_in("soc")
    code, out, _ = await admin.run("session", "list")
    (line,) = out.strip().splitlines()
    assert (await admin.run("session", "end", line.split()[0], "--reason", "for the test"))[0] == 0
    assert (await person.get("/api/v1/session")).status_code == 401
    _, made = await admin.json(
        "token", "add", "narrow", "--permission", "plant:cylinder:read", "--reason", "for the test"
    )
    code, out, _ = await admin.run("token", "list")
    assert "narrow: until" in out
    assert "last used never" in out
    assert (await admin.run("token", "revoke", made["id"], "--reason", "for the test"))[0] == 0
    assert (await admin.run("token", "revoke", made["id"], "--reason", "for the test"))[0] == 1
    assert code == 0


async def test_a_token_for_all_one_has(site: Site, admin: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    why = ("--reason", "the administrator's own shell")
    code, made = await admin.json("token", "add", "own", *why)
    assert code == 0, made
    await site.user("shift_leader", login="w.jansen")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    code, out, err = await admin.run("token", "add", "wide", "--login", "w.jansen", *why, token="")
    assert code == 0, (out, err)
    await site.user("worker", login="nobody")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    code, out, err = await admin.run("token", "add", "wide", "--login", "nobody", *why, token="")
    assert code == 2
    assert "no permission that a token could carry" in err
    async with site.services.database.read() as tx:
        made_for = {token.label: token.permissions for token in await site.access.tokens.list(tx)}
    assert made_for["wide"] == permissions_of(["shift_leader"])
    assert made_for["own"] == permissions_of(["administrator"])


async def test_the_matrix_is_exported_looked_at_and_proposed(
    site: Site, shell: Shell, tmp_path: Path
) -> None:
    for _ in range(2):  # two people who could change it again
        await site.user("security_manager", person=True)
    file = tmp_path / "matrix.csv"
    assert (await shell.run("authority", "export", str(file)))[0] == 0
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("soc,keys:key:block,all,no,yes\n", ""), encoding="utf-8")
    propose = ("authority", "propose", str(file), "--reason", "SOC blocks no more")
    code, out, _ = await shell.run(*propose, "--dry-run")
    assert "soc  keys:key:block  all: reason -> not at all" in out
    assert "waits" not in out
    code, out, _ = await shell.run(*propose)
    assert code == 0
    assert "waits for a second person" in out
    file.write_text(text + "administrator,keys:custody:change,all,no,no\n", encoding="utf-8")
    assert (await shell.run(*propose))[0] == 2


def test_settings_are_judged_for_production(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.toml"
    file.write_text('site_code = "RTX"\n', encoding="utf-8")
    assert run_command(["settings", "check", "--config", str(file)]) == 0
    assert run_command(["settings", "check", "--production", "--config", str(file)]) == 1
    assert "http needs TLS" in capsys.readouterr().out
    file.write_text("sit_code = 1\n", encoding="utf-8")
    assert run_command(["settings", "check", "--config", str(file)]) == 2


def test_verifying_needs_the_right_key_and_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "log.ndjson"
    file.write_bytes(b"nonsense\n")
    key = "site.test/log+00000000+AQ=="
    assert run_command(["verify", str(file), "--vkey", key]) == 2
    assert run_command(["verify", str(tmp_path / "none"), "--vkey", key]) == 2
    assert "key2xs:" in capsys.readouterr().err


def test_exposure_is_printed_with_terms_actions_walk_and_assumptions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    then = {"kind": "proven_end", "until": None, "cylinders": 0}
    place = {"kind": "wall updater", "place": "AP-1", "name": "Gate", "online": True, "metres": 40}
    term = {
        "name": "offline time",
        "value": "14400 s",
        "source": "program that may be in the key",
        "mark": "doc",
    }
    pair = {"cylinder": "C1", "kind": "bound", "at": "2026-03-02T21:00:00Z", "terms": [term]}
    key = {
        "key": "K1", "holder": None, "progress": "accepted", "kind": "bound", "at": pair["at"], "works_until": None,
        "residual": ["C1"], "cylinders": [pair, {**pair, "cylinder": "C2"}],
        "shorten": {
            "ask": {"how": "Insert the key.", "near": [place], "then": then},
            "walked": {"kind": "bound", "until": pair["at"], "cylinders": 1}, "needs_block": True,
        },
    }  # fmt: skip
    stop = {"place": "AP-1", "name": "Gate", "cylinders": ["C1"], "metres": None}
    show_exposure(
        {
            "asked": {"zone": "Z1"}, "at": "2026-03-02T17:00:00Z", "as_of": None, "keys": [key], "total": 1,
            "counts": {"no_bound": 0, "bound": 1, "still_allowed": 0, "proven_end": 0, "residual_cylinders": 1},
            "walk": {"stops": [stop], "metres": 0, "unplaced": 0, "left_out": 0},
            "assumptions": [{"id": "ack-is-truth", "text": "It is so.", "source": "manual", "mark": "doc"}],
        }
    )  # fmt: skip
    printed = capsys.readouterr().out
    for words in (
        "K1 at C1:", "offline time: 4 h [doc: program that may be in the key]", "AP-1 (40 m in a straight line)",
        "Do not count on it", "after it was blocked", "1 cylinder left", "Walk with a programming key",
        "ack-is-truth: It is so. [doc: manual]",
    ):  # fmt: skip
        assert words in printed, words
