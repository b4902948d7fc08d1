"""`python -m key2xs_twin` is the command `key2xs-twin`."""

from key2xs_twin.cli import main

if __name__ == "__main__":
    main()
