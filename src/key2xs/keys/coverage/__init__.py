"""How far the memories of locks and keys were read, and so how far *no opening* may be said."""
