"""Pictures and networks: everything that turns a photograph and a style into a painting.

Importing this package is cheap: torch is imported only by the modules that compute.
"""

import os

# Read by OpenMP when torch is loaded: a thread that waits for the others gives its core up soon. Where other programs want
# it too, they would else be waited for in vain, at many times the processor time.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
