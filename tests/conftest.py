"""What all tests share."""

from __future__ import annotations

import os

# Many small processes run side by side: more threads than this only fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
