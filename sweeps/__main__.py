"""python -m sweeps: the same as `python -m cn sweeps`."""

import sys

from cn.cli.sweeps import main

if __name__ == "__main__":
    sys.exit(main())
