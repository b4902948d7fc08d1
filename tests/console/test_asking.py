"""Asking for access on the page *Requests*."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from key2xs.console.times import read_local

from .client import Page
from .conftest import browse
from .showcase import Showcase

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def until(site: Showcase, hours: float) -> str:
    """Write an instant as a browser's field does, in the site's time."""
    at = (site.spine.now + timedelta(hours=hours)).astimezone(site.spine.services.settings.zone)
    return f"{at:%Y-%m-%dT%H:%M}"


async def test_access_is_asked_for_the_holder_of_a_key_and_stands_in_the_list(site: Showcase) -> None:
    async with browse(site) as client:
        await client.sign_in("issuer")
        page = await client.page("/requests")
        done = await client.submit(
            page, "/requests",
            kind="approved_request", key="1046", locks="4711, 4712", until=until(site, 2), reason="Read the meter",
        )  # fmt: skip
        assert (done.status_code, done.headers["location"]) == (303, "/requests?done=asked")
        page = await client.page("/requests?done=asked")
        assert "Somebody else decides" in page.text
        assert "Read the meter" in page.text
        assert "you asked for it, so somebody else decides" in page.text
    row = (await site.spine.fetch("SELECT * FROM grant_request ORDER BY id DESC LIMIT 1"))[0]
    assert row["person_id"] == site.spine.persons["u6"]
    assert row["requester_id"] == site.spine.persons["issuer"]
    assert row["kind"] == "approved_request"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"reason": ""}, "Say in a few words why."),
        ({"locks": " , "}, "Name 1 to 10 locks by their stamps."),
        ({"locks": "9999"}, "9999"),
        ({"key": "9999"}, "o key is known by 9999"),
        ({"key": "1061"}, "Key 1061 is handed to nobody."),
        ({"key": ""}, "only one of the two"),
        ({"who": "u6"}, "only one of the two"),
        ({"key": "", "who": "Given Family"}, "Nobody, or more than one person, goes by this number."),
        ({"until": "soon"}, "Give the day and the time at which it ends."),
        ({"until": "2020-01-01T10:00"}, "The end has passed already."),
        ({"kind": "emergency", "hours": "2"}, "An emergency lasts at most 60 minutes."),
        ({"kind": "emergency", "hours": "0.5", "locks": "4711 2210"}, "An emergency opens one access point."),
    ],
)
async def test_what_stands_against_asking_is_said_and_nothing_typed_is_lost(
    site: Showcase, values: dict[str, str], said: str
) -> None:
    hours = float(values.pop("hours", "3"))
    form = {
        "kind": "approved_request",
        "key": "1046",
        "locks": "4711",
        "reason": "to look",
        "until": until(site, hours),
    }
    async with browse(site) as client:
        await client.sign_in("leader")
        before = await site.spine.fetch("SELECT id FROM grant_request")
        answer = await client.submit(await client.page("/requests"), "/requests", **form | values)
        assert answer.status_code == 409
        assert said in Page(answer.text).text
        for name in ("locks", "key", "reason"):
            assert f'value="{(form | values)[name].strip()}"' in answer.text
        assert await site.spine.fetch("SELECT id FROM grant_request") == before


async def test_a_reader_and_an_account_without_a_person_are_not_asked(site: Showcase) -> None:
    for login in ("auditor", "unlinked"):
        async with browse(site) as client:
            await client.sign_in(login)
            page = await client.page("/requests")
            assert "/requests" not in page.forms
            token = page.forms["/sign-out"]["csrf_token"]
            assert (await client.post("/requests", {"csrf_token": token})).status_code == 403
    async with browse(site) as client:
        await client.sign_in("leader")
        assert (await client.post("/requests", {"reason": "forged"})).status_code == 403, "no token"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-02T18:00", datetime(2026, 3, 2, 17, tzinfo=UTC)),
        ("2026-07-02T18:00", datetime(2026, 7, 2, 16, tzinfo=UTC)),
        ("2026-10-25T02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # twice: the first
        ("2026-03-29T02:30", None),  # skipped
        ("2026-03-02T18:00+00:00", None),
        ("9999-12-31T23:59:99", None),
        ("", None),
    ],
)
def test_a_time_of_a_form_is_the_sites_own(text: str, at: datetime | None) -> None:
    assert read_local(text, AMSTERDAM) == at
