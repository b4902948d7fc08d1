"""The key desk: who has which key, how sure that is, and everything that happens to keys between people."""
