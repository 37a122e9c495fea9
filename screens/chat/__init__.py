"""Talking with any agent: the conversation, the input, and the other open chats beside it."""

from ccp_tui.screens.chat.screen import ChatScreen

__all__ = ["ChatScreen"]
