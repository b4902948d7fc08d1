"""The tamper-evident log: entries in the change's own transaction, one sequencer, proofs for strangers."""

from key2xs.ledger.entry import Entry, Lane, Personal, typed
from key2xs.ledger.readers import PassingOver, ReadEntry, Reader, ReaderLoop
from key2xs.ledger.service import Ledger
from key2xs.ledger.words import own_words

__all__ = [
    "Entry",
    "Lane",
    "Ledger",
    "PassingOver",
    "Personal",
    "ReadEntry",
    "Reader",
    "ReaderLoop",
    "own_words",
    "typed",
]
