"""Findings that break an assumption of a published bound, and so open it again, visibly, until a proof or a person."""
