"""What the handlers of surveys share: the service, what is remembered while the bot runs, whose a button is."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from telegram import CallbackQuery, Message

from bot.callbacks import Callback
from bot.calls import answer
from bot.people import Person
from bot.service import Context, service_of
from worker.survey.service import Surveys

STUDIES_SHOWN = 8
_KEY = "surveys"
_MESSAGES_KEPT = 10_000


@dataclass
class SurveyState:
    """What is remembered of surveys while the bot runs: nothing that could not be lost. ``cards``: Telegram's file id
    of each composed picture; ``shown``: the pair that a message shows."""

    surveys: Surveys
    cards: dict[tuple[str, str], str] = field(default_factory=dict)
    shown: OrderedDict[tuple[int, int], str] = field(default_factory=OrderedDict)

    def note(self, message: Message, pair: str) -> None:
        """Remember what a message shows now; "" once it is done with."""
        self.shown[message.chat_id, message.message_id] = pair
        while len(self.shown) > _MESSAGES_KEPT:
            self.shown.popitem(last=False)

    def shows_another(self, message: Message, pair: str) -> bool:
        """Whether a message is known to show another pair than ``pair`` by now."""
        return self.shown.get((message.chat_id, message.message_id), pair) != pair


def survey_state(context: Context) -> SurveyState:
    """The application's; made at the first use."""
    if _KEY not in context.bot_data:
        context.bot_data[_KEY] = SurveyState(Surveys(service_of(context).client))
    found: SurveyState = context.bot_data[_KEY]
    return found


async def is_mine(query: CallbackQuery, person: Person, button: Callback) -> bool:
    """Buttons of a study carry the Telegram id of the person they were made for."""
    if button.target == str(person.id):
        return True
    await answer(query, person.texts.plain("not_yours"))
    return False
