"""What goes wrong in a way that the user can put right."""

from __future__ import annotations


class UserError(Exception):
    """A job cannot be done; the message names the bone or tracker at fault and says what to do."""
