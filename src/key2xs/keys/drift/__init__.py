"""Drift: edits that somebody made in a maker's own tool, found, told once, and left, reverted or held.

Read and write findings through `findings`, `watch` and `acts`; `rules` says what differs and what may be written.
"""
