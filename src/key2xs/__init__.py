"""Key2XS: electronic keys that follow identity, permit and policy, with every step on a verifiable log."""

__version__ = "0.1.0"
