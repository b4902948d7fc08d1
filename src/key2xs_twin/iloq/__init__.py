"""The vendor's side of iLOQ: planned state, sessions, and the Public API v2 subset on its exact wire names.

Names, codes and rules follow the vendor's published OpenAPI text; where it is silent a comment says
ASSUMPTION. The server never looks into a device: it knows what was planned, what it sent, and what was
acknowledged.
"""
