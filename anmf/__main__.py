"""``python -m anmf`` is the command ``anmf``."""

import sys

from anmf.cli import main

sys.exit(main())
