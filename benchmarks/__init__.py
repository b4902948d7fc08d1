"""Benchmarks: each module has `run(seed)` and returns one record or several; `python -m benchmarks` runs them."""
