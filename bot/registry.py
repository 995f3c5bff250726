"""All handlers in the order in which they are asked. The first that fits takes the update."""

from __future__ import annotations

from telegram import BotCommand, BotCommandScopeAllPrivateChats
from telegram.ext import CallbackQueryHandler, CommandHandler, ExtBot, MessageHandler, filters

from bot.handlers import account, charts, errors, gallery, pictures, results, start, survey, taps, train
from bot.service import App, installed
from bot.texts import DEFAULT_LANGUAGE, languages

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
    application.add_handler(MessageHandler(private & moving, start.not_a_still))
    application.add_handler(MessageHandler(private & filters.Document.ALL, pictures.document))
    application.add_handler(MessageHandler(private & filters.TEXT, start.hint))
    application.add_handler(MessageHandler(private & ~filters.StatusUpdate.ALL, start.not_a_still))
    application.add_handler(CommandHandler("start", start.private_only, filters.ChatType.GROUPS))
    application.add_error_handler(errors.on_error)


async def announce(bot: ExtBot[str]) -> None:
    """Tell Telegram the commands, in every language, for private chats."""
    scope = BotCommandScopeAllPrivateChats()
    for code, texts in languages().items():
        commands = [BotCommand(name, texts.commands[name]) for name in COMMANDS]
        if code == DEFAULT_LANGUAGE:
            await bot.set_my_commands(commands, scope)
        await bot.set_my_commands(commands, scope, code)
