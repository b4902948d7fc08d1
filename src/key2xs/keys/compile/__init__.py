"""From all grants to the fewest device changes: pure, no clock, no database.

`limits` says what fits and who says so, `compiler` plans keys, `block_lists` a list that spreads, `steps` in which order a
target is changed, `ways_out` what helps where something does not fit.
"""
