"""Run the benchmarks and write `build/bench/NAME.json`.

python -m benchmarks                  all of them
python -m benchmarks entry_pipeline   some of them
"""

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

import benchmarks

RESULTS = Path("build/bench")
HELPERS = {"__main__", "fleet", "support"}
FIELDS = ("name", "value", "unit", "p50", "p99", "ratio", "baseline", "command", "machine", "seed")


def main() -> int:
    """Run what was asked for; 1 when a benchmark failed."""
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in HELPERS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, and write build/bench/NAME.json."
    )
    parser.add_argument("names", nargs="*", choices=[*names, []], help="which (all)")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in chosen.names or names:
        print(f"{name} ...", flush=True)
        try:
            found = importlib.import_module(f"benchmarks.{name}").run(chosen.seed)
        except Exception as error:  # noqa: BLE001 - the others still run
            print(f"  failed: {type(error).__name__}: {error}")
            failed = True
            continue
        for record in found if isinstance(found, list) else [found]:
            _keep(record)
    return int(failed)


def _keep(record: dict[str, Any]) -> None:
    whole = {field: record.get(field) for field in FIELDS} | record
    path = RESULTS / f"{record['name']}.json"
    path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    times = f", p50 {record['p50']} p99 {record['p99']}" if record.get("p50") is not None else ""
    ratio = f", ratio {record['ratio']} to {record['baseline']}" if record.get("ratio") is not None else ""
    print(f"  {record['name']}: {record['value']} {record['unit']}{times}{ratio}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
