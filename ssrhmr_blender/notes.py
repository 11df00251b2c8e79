"""Messages: in the status bar through ``report``, and in the panel until the next try."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bpy.types import Context, Operator, UILayout

from .errors import UserError
from .settings import SSRHMR_Note

_ICONS = {"INFO": "INFO", "WARNING": "QUESTION", "ERROR": "ERROR"}
_WIDTH = 44


def clear_notes(context: Context, topic: str) -> None:
    """Forget the messages of a panel."""
    notes = context.window_manager.ssrhmr.notes
    for index in reversed(range(len(notes))):
        if notes[index].topic == topic:
            notes.remove(index)


def add_note(context: Context, topic: str, level: str, text: str) -> None:
    """Show a message in the panel ``topic``; ``level`` is INFO, WARNING or ERROR."""
    note = context.window_manager.ssrhmr.notes.add()
    note.topic, note.level, note.text = topic, level, text


def draw_notes(layout: UILayout, notes: Iterable[SSRHMR_Note], topic: str) -> None:
    """Draw the messages of a panel."""
    for note in notes:
        if note.topic != topic:
            continue
        column = layout.column(align=True)
        column.alert = note.level == "ERROR"
        for number, line in enumerate(textwrap.wrap(note.text, _WIDTH)):
            column.label(text=line, icon="BLANK1" if number else _ICONS[note.level])


def tell(operator: Operator, context: Context, topic: str, level: str, text: str) -> None:
    """Report a message and show it in the panel."""
    add_note(context, topic, level, text)
    operator.report({level}, text)


def tell_error(operator: Operator, context: Context, topic: str, error: Exception) -> None:
    """Report what went wrong: in words, with a traceback on the console for our own mistakes."""
    if isinstance(error, UserError):
        tell(operator, context, topic, "ERROR", str(error))
        return
    traceback.print_exception(error)
    text = f"Unexpected error, please report it (details on the system console): {error!r}"
    tell(operator, context, topic, "ERROR", text)


@contextmanager
def core_errors() -> Iterator[None]:
    """Turn the core's errors about its input into messages for the user."""
    from ssrhmr_core.rest import MissingJointError
    from ssrhmr_core.trackers import TrackerError
    from ssrhmr_core.weights import WeightsError

    from .trackers import with_labels

    try:
        yield
    except (MissingJointError, TrackerError, WeightsError) as error:
        raise UserError(with_labels(str(error))) from error
