"""Ending access for many at once: look, start, follow, pause, and the keys that are still out.

A company, a work package, a security zone, or everyone except the emergency crew. The safety rules hold in all of it.
"""
