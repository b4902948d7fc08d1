"""Key systems, keys and their programs: what is wished, what is on the way, what is in the key.

- `program`: what a key is told, and how programs compare.
- `port`: the contract that every key-system connector implements.
- `grid`, `carry`: from grants to a program that the vendor can store without widening anything.
- `exposure`: until when a key could still open, over every program that may be in it; `assumptions` lists what
  that answer takes for granted.
"""
