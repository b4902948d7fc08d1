"""Every page, made on the server and read without scripts."""

from .client import Browserless
from .showcase import Showcase


async def test_every_page_renders(evening: Showcase, leader: Browserless) -> None:
    for path in (
        "/",
        "/permits",
        "/permits?all=1",
        "/keys",
        "/access-points",
        "/requests",
        "/search?q=104",
        "/account",
    ):
        await leader.page(path)
    for stamp in ("1041", "1043", "0307", "1046", "1062"):
        await leader.page(f"/keys/{stamp}")
        await leader.page(f"/keys/{stamp}/block")
    for code in ("MCC2-F07", "UPS-1", "AH-3", "LB-17"):
        await leader.page(f"/access-points/{code}")
        await leader.page(f"/access-points/{code}?who=1044")
    for permit in evening.permits.values():
        await leader.page(f"/permits/{permit.number}")
