"""What the page of a key offers: only what applies now, and why the rest does not."""

import pytest

from key2xs.console.views.care import WORDS, KeyState, why_not_of

from .conftest import browse
from .showcase import Showcase


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (KeyState(), {"lost", "broken"}),
        (KeyState(not_adopted_because=""), {"lost", "broken", "adopt"}),
        (KeyState(is_out=True), {"transfer", "due", "lost", "broken"}),
        (KeyState(is_out=True, phone=True), {"due", "lost", "broken"}),
        (KeyState(is_out=True, reported="lost", blocked=True), {"found", "replace"}),
        (KeyState(reported="broken"), {"repaired", "replace"}),
        (KeyState(blocked=True), {"lost", "broken", "unblock"}),
        (KeyState(is_out=True, blocked=True), {"due", "lost", "broken"}),
        (KeyState(blocked=True, unblocking=True), {"lost", "broken"}),
        (KeyState(blocked=True, replaced=True), set()),
        (KeyState(deleted=True), set()),
    ],
)
def test_only_what_applies_is_offered_and_the_rest_is_explained(state: KeyState, offered: set[str]) -> None:
    why_not = why_not_of(state)
    assert set(why_not) == set(WORDS)
    assert {word for word in WORDS if not why_not[word]} == offered


async def test_the_page_of_a_key_says_why_it_is_not_found_or_repaired(site: Showcase) -> None:
    async with browse(site) as desk:
        await desk.sign_in("leader")
        page = await desk.page("/keys/1045")
        assert "not now, it is not reported lost" in page.text
        assert "/keys/1045/found" not in page.links
        assert "/keys/1045/lost" in page.links
        ask = await desk.page("/keys/1045/unblock")
        assert "Not now: It is not blocked" in ask.text
