"""`python -m biomedica` is the command `biomedica`."""

import sys

from biomedica.cli import main

if __name__ == "__main__":
    sys.exit(main())
