"""`python -m biomedica.train` and `torchrun -m biomedica.train` are the command `biomedica train`."""

import sys

from biomedica.train import main

if __name__ == "__main__":
    sys.exit(main())
