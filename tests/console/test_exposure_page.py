"""*Exposure* on screen: what is left, what to do now, what goes on working; and a page that teaches when it is quiet."""

from .client import Browserless
from .conftest import browse
from .showcase import Showcase


async def test_the_page_says_what_is_left_and_what_to_do(evening: Showcase, leader: Browserless) -> None:
    page = await leader.page("/exposure")
    assert page.handlers == []
    for stamp in ("0307", "1043", "1046"):
        assert f"/keys/{stamp}" in page.links
    assert page.text.index("0307") < page.text.index("1043"), "without end first"
    for words in (
        "no end by itself", "surely over", "Do now:", "Ask the holder to update", "Do not count on it", "Collect the key",
        "Will still work until", "What these times rest on", "length not known", "Nobody programmed the key past Key2XS",
    ):  # fmt: skip
        assert words in page.text, words
    sheet = await leader.page("/exposure/walk")
    assert "Done at, by" in sheet.text
    assert "UPS-1" in sheet.text


async def test_the_page_can_be_narrowed_to_a_zone_and_a_company(
    evening: Showcase, leader: Browserless
) -> None:
    volt = await leader.page("/exposure?company=v022")
    left = volt.text.split("By security zone")[0]
    assert "1043" in left
    assert "1046" not in left.split("If nobody updates")[0]
    zone = await leader.page("/exposure?zone=Z4")
    assert "UPS-1" not in zone.text
    assert (await leader.get("/exposure?zone=nowhere")).status_code == 404


async def test_a_quiet_page_explains_what_would_stand_there(site: Showcase) -> None:
    async with browse(site) as client:
        await client.sign_in("leader")
        page = await client.page("/exposure?zone=Z4")
    assert "Nothing that was ended can be opened any more here" in page.text
    assert "it appears here with a countdown" in page.text
