"""`python -m key2xs_demo`."""

import sys

from .cli import main

sys.exit(main())
