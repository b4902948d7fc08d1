"""Connectors: one folder for each product, each behind a port of the room that uses it.

A connector translates between a product's wire format and our words, and turns every failure into one of four
outcomes: `Retry`, `NeedsPerson`, `Refused`, `Unknown`. It decides nothing about access.

`manifest.toml` states what a connector can do and every limit with its source; `quality.toml` states how far it
has come, honestly. docs/reference/connectors.md explains both.
"""
