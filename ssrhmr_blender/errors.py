"""Errors that are explained to the user instead of shown as a traceback."""


class UserError(Exception):
    """Something that the user can mend; the message says what is wrong and what to do."""
