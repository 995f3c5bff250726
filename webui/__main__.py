"""``python -m webui``: serve the page alone; queue and worker run elsewhere."""

import sys

from core.errors import AllaPrimaError
from webui.server import run

if __name__ == "__main__":
    try:
        sys.exit(run())
    except AllaPrimaError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
