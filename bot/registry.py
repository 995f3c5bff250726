"""All handlers in the order in which they are asked. The first that fits takes the update."""

from __future__ import annotations

import logging
from collections.abc import Collection

from telegram import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    Message,
    MessageEntity,
)
from telegram.error import InvalidToken
from telegram.ext import CallbackQueryHandler, CommandHandler, ExtBot, MessageHandler, filters

from bot.handlers import account, charts, errors, gallery, pictures, results, start, survey, taps, train
from bot.service import App, installed
from bot.texts import DEFAULT_LANGUAGE, languages

logger = logging.getLogger(__name__)

ALLOWED_UPDATES = ["message", "callback_query"]
COMMANDS = {
    "start": start.start,
    "styles": gallery.styles,
    "survey": survey.survey,
    "results": charts.results,
    "settings": account.settings,
    "cancel": results.cancel,
    "help": start.help_,
    "privacy": start.privacy,
    "delete_me": account.delete_me,
}

GROUP_COMMANDS = ("paint", "help")


class ToBot(filters.MessageFilter):
    """Messages that name the bot, or answer one of its own."""

    def filter(self, message: Message) -> bool:
        """Whether this one does."""
        if message.text is None:
            return False
        me = message.get_bot()
        answered = message.reply_to_message
        if answered is not None and answered.from_user is not None and answered.from_user.id == me.id:
            return True
        named = message.parse_entities([MessageEntity.MENTION]).values()
        return f"@{me.username}".lower() in {name.lower() for name in named}


def register(application: App) -> None:
    """Add every handler. Edited messages are not asked for, so each message is handled once."""
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE
    for name, handler in COMMANDS.items():
        application.add_handler(CommandHandler(name, handler, private))
    if operators := installed(application).settings.operators:
        # Everybody else's /train is a text like any other.
        mine = private & filters.User(operators)
        application.add_handler(CommandHandler("train", train.train, mine))
    application.add_handler(CallbackQueryHandler(taps.tap))
    application.add_handler(MessageHandler(private & filters.PHOTO, pictures.photo))
    # An animation is also a document: asked before it.
    moving = (
        filters.ANIMATION
        | filters.VIDEO
        | filters.VIDEO_NOTE
        | filters.VOICE
        | filters.AUDIO
        | filters.Sticker.ALL
    )
    application.add_handler(MessageHandler(private & filters.Sticker.STATIC, pictures.sticker))
    application.add_handler(MessageHandler(private & moving, start.not_a_still))
    application.add_handler(MessageHandler(private & filters.Document.ALL, pictures.document))
    application.add_handler(MessageHandler(private & filters.TEXT, start.hint))
    application.add_handler(MessageHandler(private & ~filters.StatusUpdate.ALL, start.not_a_still))
    groups = filters.ChatType.GROUPS & filters.UpdateType.MESSAGE
    application.add_handler(CommandHandler("paint", pictures.from_group, groups))
    application.add_handler(CommandHandler(["start", "help"], start.in_group, groups))
    application.add_handler(MessageHandler(groups & ToBot(), start.in_group))
    application.add_error_handler(errors.on_error)


async def announce(bot: ExtBot[str], absent: Collection[str] = ()) -> None:
    """Tell Telegram the commands, for private chats and for groups, and what the bot is, in every language; without the
    commands that are ``absent``, which are answered all the same."""
    scope, group = BotCommandScopeAllPrivateChats(), BotCommandScopeAllGroupChats()
    for code, texts in languages().items():
        commands = [BotCommand(name, texts.commands[name]) for name in COMMANDS if name not in absent]
        if code == DEFAULT_LANGUAGE:
            await bot.set_my_commands(commands, scope)
        await bot.set_my_commands(commands, scope, code)
        in_groups = [BotCommand(name, texts.group_commands[name]) for name in GROUP_COMMANDS]
        if code == DEFAULT_LANGUAGE:
            await bot.set_my_commands(in_groups, group)
        await bot.set_my_commands(in_groups, group, code)
    try:
        await _describe(bot)
    except InvalidToken:
        # "404: Not Found" to a token that is taken: a Bot API server of one's own from before descriptions.
        logger.warning("this Bot API server takes no descriptions of bots")


async def _describe(bot: ExtBot[str]) -> None:
    for code, texts in languages().items():
        description, short = texts.messages["description"].strip(), texts.messages["short_description"]
        for language in (None, code) if code == DEFAULT_LANGUAGE else (code,):
            await bot.set_my_description(description, language)
            await bot.set_my_short_description(short, language)
