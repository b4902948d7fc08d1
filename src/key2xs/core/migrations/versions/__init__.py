"""The revisions, in order. Each is a short Python file beside its SQL."""
