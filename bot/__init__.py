"""The Telegram bot: takes photographs, reports on jobs, hands paintings over. Talks to them through ``worker.client``."""

import os

# python-telegram-bot 22 warns at every flood answer until times come as timedelta, as they will in its next version.
os.environ.setdefault("PTB_TIMEDELTA", "true")
