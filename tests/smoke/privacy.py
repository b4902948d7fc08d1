"""No personal data and no secret in what processes write and in what the SIEM is told, also when things go wrong."""

import json

import httpx2

from .permits import WEBHOOK_SECRET
from .prepared import USER_PASSWORD
from .processes import LONGEST
from .settings import SCIM_TOKEN
from .site import FAMILY, GIVEN, MAIL_DOMAIN, Site


def outputs_and_syslog_name_nobody_and_hold_no_secret(site: Site) -> None:
    ref, _, permit = site.holds_key("C1")
    cookies = sign_in(site)
    send_rubbish(site, ref)
    # A vendor that fails in every way a worker would complain about.
    for effect in ("status:500", "garbage", "unauthorised"):
        site.twin.fault("* **", effect, times=1)
    site.permits.suspend(permit)
    # Not until it is narrowed: after such answers the vendor is left alone for half a minute.
    site.wait(lambda: site.twin.faults_fired() >= 2)
    site.twin.clear_faults()
    site.wait(site.quiet)
    secret = {
        "the API token": site.token,
        "the SCIM token": SCIM_TOKEN,
        "the webhook secret": WEBHOOK_SECRET,
        "the vendor's password": site.twin.ready["password"],
        "a user's password": USER_PASSWORD,
        **{f"the cookie {name}": value for name, value in cookies.items()},
        **{f"a password of {role}": word for role, word in database_passwords(site).items()},
        **dict(vendor_sessions(site)),
    }
    personal = {"a given name": GIVEN, "a family name": FAMILY, "an address": MAIL_DOMAIN, "a reference": ref}
    for child in site.children:
        assert_holds_none(child.name, child.output, {**secret, **personal})
    told = "\n".join(record.raw for record in site.told())
    assert "grants:lease" in told
    assert_holds_none("the SIEM", told, {**secret, **personal})


def assert_holds_none(where: str, text: str, words: dict[str, str]) -> None:
    """Assert that none of the words is in a text."""
    assert all(words.values())
    assert [f"{what} in {where}" for what, word in words.items() if word in text] == []


def sign_in(site: Site) -> dict[str, str]:
    """Sign in as the suite's user, once wrongly; the session's cookies."""
    with httpx2.Client(base_url=site.url, timeout=LONGEST) as client:
        bad = client.post("/api/v1/session", json={"login": "smoke", "password": "wrong " + USER_PASSWORD})
        assert bad.status_code == 401
        good = client.post("/api/v1/session", json={"login": "smoke", "password": USER_PASSWORD})
        assert good.status_code == 201, good.text
        assert good.cookies
        return dict(good.cookies.items())


def send_rubbish(site: Site, ref: str) -> None:
    """Send what must be refused, full of names."""
    person = {"userName": f"{ref}@{MAIL_DOMAIN}", "name": {"givenName": GIVEN, "familyName": [FAMILY]}}
    headers = {"Authorization": f"Bearer {SCIM_TOKEN}", "Content-Type": "application/scim+json"}
    with httpx2.Client(base_url=site.url, timeout=LONGEST) as client:
        for body in (json.dumps(person), json.dumps(person)[:-5], f'"{GIVEN} {FAMILY}"'):
            answer = client.post("/scim/entra/v2/Users", content=body, headers=headers)
            assert 400 <= answer.status_code < 500, answer.text
            unsigned = client.post("/webhooks/ptw/eptw", content=body)
            assert 400 <= unsigned.status_code < 500, unsigned.text
        asked = client.post(
            "/api/v1/explain", json={"person": f"iam:{ref}", "cylinder": FAMILY}, headers=headers
        )
        assert 400 <= asked.status_code < 500


def database_passwords(site: Site) -> dict[str, str]:
    """Return the databases' passwords by role."""
    assert site.dsns is not None
    found = {}
    for role in ("app", "log", "read", "vault"):
        account = getattr(site.dsns, role).partition("://")[2].partition("@")[0]
        found[role] = account.partition(":")[2]
    return found


def vendor_sessions(site: Site) -> list[tuple[str, str]]:
    """Return the ids of all sessions that the vendor ever gave."""
    ids = (site.folder / "vendor-sessions").read_text(encoding="utf-8").split()
    assert ids
    return [(f"vendor session {number}", each) for number, each in enumerate(ids)]
