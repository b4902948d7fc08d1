"""Ninety days in the life of the synthetic site of size M in the twin; see `twin_90_days_l`."""

from typing import Any

from benchmarks.twin_90_days_l import measure


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    return measure("M", seed)
