"""Decisions per second, against a bare Cedar batch of the same size in the same run.

The bare batch gets everything ready made: the same policies in one set, entities and requests built beforehand, and
its answers are thrown away. Ours starts from situations and ends with decisions, reasons and `until`. No two
situations are equal, but many differ only in what no policy reads (the zone, the crew): ours decides those once, the
bare batch cannot know. `views` is how many were left; `zone_read` is our rate under a bundle whose site policy reads
the zone, where every situation must be evaluated.

`p50` and `p99` are milliseconds for one decision asked alone.
"""

import os
import platform
import random
import statistics
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from time import perf_counter
from typing import Any, Final

import cedarpy

from key2xs.policy import (
    Basis,
    Cylinder,
    Facts,
    FactWindow,
    Key,
    Person,
    Qualification,
    Situation,
    decide,
    decide_many,
    make_bundle,
    shipped_bundle,
    shipped_policies,
    shipped_site_data,
    situation_at,
)
from key2xs.policy.compiled import compile_bundle
from key2xs.policy.engine import BATCH_SIZE, _cedar_input
from key2xs.policy.view import view_of

SITUATIONS: Final = 4096
ROUNDS: Final = 5
ALONE: Final = 1000
AT: Final = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
READS_ZONE: Final = """
@id("site.jetty") @reason("The jetty is closed.")
forbid (principal, action, resource) when { resource.zone == "JETTY" };
"""


def run(seed: int) -> dict[str, Any]:
    """Measure and return one `build/bench` record."""
    bundle = shipped_bundle()
    situations = [_situation(random.Random(f"{seed}:{n}"), n) for n in range(SITUATIONS)]
    bare_batches = _bare_input(situations)
    decide_many(situations[:BATCH_SIZE], bundle)  # parses the bundle once, as a worker does when it starts
    ours, bare, all_apart = [], [], []
    reads_zone = make_bundle(
        "reads zone", policies=shipped_policies() + READS_ZONE, site_data=shipped_site_data()
    )
    decide_many(situations[:1], reads_zone)
    for _ in range(ROUNDS):  # in turn, so that a busy machine is busy for both
        bare.append(_seconds(lambda: _run_bare(bare_batches)))
        ours.append(_seconds(lambda: decide_many(situations, bundle)))
        all_apart.append(_seconds(lambda: decide_many(situations, reads_zone)))
    alone = sorted(_seconds(lambda s=s: decide(s, bundle)) for s in situations[:ALONE])
    rate, baseline = SITUATIONS / statistics.median(ours), SITUATIONS / statistics.median(bare)
    return {
        "name": "decision_rate",
        "value": round(rate),
        "unit": "decisions/s",
        "p50": round(alone[ALONE // 2] * 1000, 3),
        "p99": round(alone[ALONE * 99 // 100] * 1000, 3),
        "ratio": round(rate / baseline, 3),
        "baseline": round(baseline),
        "views": _views(situations),
        "zone_read": round(SITUATIONS / statistics.median(all_apart)),
        "command": f"python -m benchmarks decision_rate --seed {seed}",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, cedarpy {version('cedarpy')}",
        "seed": seed,
    }


def _situation(rng: random.Random, number: int) -> Situation:
    """A worker at some cylinder, mostly legal; the number makes it unlike every other."""
    shift = FactWindow(AT - timedelta(hours=3), AT + timedelta(hours=rng.choice((3, 6, 9))))
    year = FactWindow(None, AT + timedelta(days=rng.randrange(1, 300)))
    facts = Facts(
        person=Person(
            id=f"person-{number}",
            active="yes",
            contract=year,
            qualifications=(Qualification("SITE_INDUCTION", year), Qualification("VCA_BASIC", year)),
            roles=frozenset({"maintenance", f"crew-{number % 50}"}),
        ),
        cylinder=Cylinder(
            class_key="",
            criticality=rng.randrange(1, 5),
            zone=f"Z{number}",
            egress_free="yes",
            safety_role="none",
        ),
        basis=Basis(
            kind=rng.choice(("permit_step", "permit_step", "permit_step", "duty_role")),
            window=shift,
            gas=shift,
            permit_state=rng.choice(("live", "live", "live", "suspended")),
            permit_type=rng.choice(("cold_work", "hot_work", "line_break")),
            step_state=rng.choice(("started", "authorised", "paused")),
            signed_on=rng.choice(("yes", "yes", "yes", "no")),
            needs_isolation="yes",
            isolation_ok="yes",
            needs_gas="no",
            approvers=frozenset({"person-a"}),
            holder_role="performing_authority",
            unit_match="yes",
        ),
        key=Key(id=f"key-{number}", kind=rng.choice(("phone", "fob", "cliq")), blocked="no"),
        sod_conflicts=frozenset(),
    )
    return situation_at(facts, AT)


def _bare_input(situations: list[Situation]) -> list[tuple[cedarpy.Entities, list[dict[str, Any]]]]:
    compiled = compile_bundle(shipped_bundle())
    views = [view_of(situation, compiled.data) for situation in situations]
    return [
        _cedar_input(views[start : start + BATCH_SIZE], compiled.schema)
        for start in range(0, len(views), BATCH_SIZE)
    ]


def _views(situations: list[Situation]) -> int:
    compiled = compile_bundle(shipped_bundle())
    return len({compiled.likeness_of(view_of(situation, compiled.data)) for situation in situations})


def _run_bare(batches: list[tuple[cedarpy.Entities, list[dict[str, Any]]]]) -> None:
    compiled = compile_bundle(shipped_bundle())
    for entities, requests in batches:
        cedarpy.is_authorized_batch(requests, compiled.full, entities, compiled.schema)


def _seconds(work: Any) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
