"""One run of the demo: start everything, play the night, look at what came of it, stop everything in order."""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from key2xs.core.postgres import start_cluster
from key2xs_twin.certificates import make_certificates
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.scim import EntraClient
from key2xs_twin.clients.webhook import WebhookSender
from key2xs_twin.syslog_receiver import SyslogReceiver

from . import ending, going_on, setting_up
from .acts import plan_all
from .cast import BEGINS, DAY_BEFORE, ENDS, SIZE, Cast
from .casting import make_cast
from .display import Display
from .expectations import Book
from .folder import BASE, RunFolder, Secrets, make_folder
from .night import Night
from .preparing import SITE, CliqAccount, VendorAccount, prepare_databases, write_settings
from .processes import Process, ProcessFailed, product_command, twin_command
from .product import ApiRefused, Machine
from .report import print_report
from .summary import FILE, make_summary, write_summary
from .timekeeper import NeverQuiet, Timekeeper
from .twin import Twin, TwinRefused

READY = "Key2XS is ready"
ALL_HELD, BROKEN, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was asked for."""

    port: int
    seed: int
    exits: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    night: Night
    folder: RunFolder
    receiver: SyslogReceiver
    url: str
    token: str


async def run_demo(options: Options) -> int:
    """Play the night; return the exit code."""
    stop = _stop_on_signals()
    FILE.unlink(missing_ok=True)  # a run that breaks off must not leave the figures of an older one
    playing = asyncio.create_task(_play(options), name="demo")
    waiting = asyncio.create_task(stop.wait(), name="signals")
    done, _ = await asyncio.wait({playing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if playing not in done:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing
        return ALL_HELD if going_on.was_reached() else INTERRUPTED
    try:
        return playing.result()
    except (ApiRefused, LookupError, NeverQuiet, ProcessFailed, TimeoutError, TwinRefused) as error:
        print(f"The demo could not go on: {error}")
        print(f"What the processes said is in {BASE}.")
        return BROKEN


async def _play(options: Options) -> int:
    began = time.monotonic()
    display = Display()
    with display:
        async with _open_stage(options, display) as stage:
            await _set_up(stage, display)
            plan_all(stage.night)
            await stage.night.play_until(ENDS)
            summary = await _finish(stage, options, display, began)
            display.close()
            print_report(summary, stage.night.delays, display.console)
            display.console.print(f"Written: {write_summary(summary)}")
            if not options.exits:
                await going_on.go_on(stage.night, stage.folder, stage.url, display.console)
            return ALL_HELD if stage.night.book.all_held else BROKEN


@asynccontextmanager
async def _open_stage(options: Options, display: Display) -> AsyncIterator[Stage]:
    folder, secrets = make_folder(), Secrets.make()
    url = f"http://127.0.0.1:{options.port}"
    cast = make_cast(options.seed)
    async with AsyncExitStack() as stack:
        display.stage("starting the twin and the SIEM")
        certificates = make_certificates(folder.certificates)
        receiver = await stack.enter_async_context(
            SyslogReceiver(certificates, file=folder.root / "syslog.jsonl")
        )
        twin, account, cliq = await _start_twin(options.seed, folder, stack)
        display.stage("making databases")
        write_settings(
            folder,
            port=options.port,
            vendor=account,
            cliq=cliq,
            secrets=secrets,
            certificates=certificates,
            syslog_port=receiver.port,
        )
        password = await prepare_databases(folder, DAY_BEFORE)
        display.stage("starting the product")
        await _start_product(folder, stack)
        machine = await stack.enter_async_context(
            await setting_up.sign_in_machine(url, password, f"{password}-x")
        )
        night = await _make_night(cast, twin, machine, secrets, url, display, stack)
        folder.note(url=url, secret=secrets.webhook)
        yield Stage(night, folder, receiver, url, machine.token)


async def _start_twin(
    seed: int, folder: RunFolder, stack: AsyncExitStack
) -> tuple[Twin, VendorAccount, CliqAccount]:
    argv = twin_command("serve", "--site", SIZE, "--seed", str(seed), "--start", DAY_BEFORE.isoformat())
    process = Process("the twin", argv, folder.log("twin"))
    stack.push_async_callback(process.stop)
    await process.start()
    ready = json.loads(await process.line("{"))
    twin = Twin(ready["control"])
    stack.push_async_callback(twin.aclose)
    account = VendorAccount(
        base_url=ready["iloq"],
        customer_code=ready["customer_code"],
        user_name=ready["user_name"],
        password=ready["password"],
        lock_group=ready["lock_group_id"],
    )
    cliq = CliqAccount(ready["cliq"], ready["cliq_client"], ready["cliq_secret"])
    return twin, account, cliq


async def _start_product(folder: RunFolder, stack: AsyncExitStack) -> None:
    # When the product had to be ended the hard way, its PostgreSQL is still there: take it over and stop it.
    stack.push_async_callback(asyncio.to_thread, _stop_leftover_server, folder)
    process = Process(
        "the product",
        product_command("serve"),
        folder.log("product"),
        environment={"KEY2XS_CONFIG": str(folder.settings)},
    )
    stack.push_async_callback(process.stop)
    await process.start()
    # Its own word, not an answer at the address: somebody else may be listening there.
    await process.line(READY)


def _stop_leftover_server(folder: RunFolder) -> None:
    data = folder.data / "postgres"
    if any(data.rglob("postmaster.pid")):
        with start_cluster(data_dir=data):
            pass


async def _make_night(
    cast: Cast,
    twin: Twin,
    machine: Machine,
    secrets: Secrets,
    url: str,
    display: Display,
    stack: AsyncExitStack,
) -> Night:
    sender = WebhookSender(f"{url}/webhooks/ptw/eptw", [secrets.webhook])
    stack.push_async_callback(sender.aclose)
    ptw = PermitSystem(sender, site=SITE)
    scim = await stack.enter_async_context(EntraClient(f"{url}/scim/entra/v2", secrets.scim_token, flag=True))

    async def beat(at: datetime) -> None:
        ptw.heartbeat(at=at)
        await ptw.flush(at=at)

    night = Night(
        cast=cast,
        twin=twin,
        machine=machine,
        people={},
        ptw=ptw,
        scim=scim,
        book=Book(display.expectation),
        time=Timekeeper(twin, machine, DAY_BEFORE, beat=beat, seen=display.clock),
        watcher=display,
    )

    async def sign_out() -> None:
        for person in night.people.values():
            await person.aclose()

    stack.push_async_callback(sign_out)
    return night


async def _set_up(stage: Stage, display: Display) -> None:
    night, folder = stage.night, stage.folder
    display.stage("importing the site")
    setting_up.write_site(night.cast.site, folder.imports)
    night.figures["imported"] = await setting_up.import_plant(night.machine, folder.imports)
    display.stage("reading both key systems")
    await setting_up.wait_for_listing(night.machine)
    night.figures["keys"] = await setting_up.import_keys(night.machine, folder.imports)
    display.stage("provisioning people")
    late = {night.cast.pump.ref, night.cast.newcomer.ref}
    known = [each.person for each in night.cast.holders if each.ref not in late]
    known += [night.cast.attendant, night.cast.heir]
    await setting_up.provision(night, [*night.cast.deciders, *known])
    await setting_up.make_users(night, stage.url)
    await night.time.leap_to(BEGINS)
    display.stage("letting both key systems be written")
    night.figures["key_systems"] = await setting_up.switch_on(night)
    display.stage("setting security zones to enforce")
    night.figures["zones"] = await setting_up.enforce_zones(night)
    await night.time.settle()


async def _finish(stage: Stage, options: Options, display: Display, began: float) -> dict[str, Any]:
    night = stage.night
    display.stage("asking the product, verifying the log")
    counts = await ending.count_openings(night)
    await ending.check_openings(night, counts)
    await ending.name_key_systems(night)
    await ending.ask_by_command(night, stage.url, stage.token)
    await night.time.settle()
    syslog = await ending.check_siem(night, stage.receiver)
    log = await ending.check_log(night, stage.folder.root / "log.ndjson", stage.url, stage.token)
    return make_summary(
        seed=options.seed,
        begins=BEGINS,
        ends=night.now,
        wall_s=time.monotonic() - began,
        expectations=night.book,
        answers=night.answers,
        openings=counts,
        exposure=night.exposures,
        log=log,
        syslog=syslog,
    )


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop
