"""`python -m key2xs.cli`."""

from . import main

main()
