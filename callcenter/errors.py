"""Errors that a user or a caller of the API can act on.

Each has a stable `code`, a message in plain English, the `fields` it is about (field → what is wrong and the remedy)
and parameters for the translated text. The web layer turns them into a response; the interface looks `code` up in its
own language and falls back to the message.
"""

from __future__ import annotations

from collections.abc import Mapping


class AppError(Exception):
    """Base of all errors meant for the outside. `status` is the HTTP status it answers with."""

    code = "error"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: Mapping[str, str] | None = None,
        params: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.fields: dict[str, str] = dict(fields or {})
        self.params: dict[str, object] = dict(params or {})


class InvalidInput(AppError):
    """A field is wrong; `fields` says which and how to mend it."""

    code = "invalid_input"
    status = 422


class NotFound(AppError):
    """No such record in this enterprise (a foreign id answers the same)."""

    code = "not_found"
    status = 404


class Conflict(AppError):
    """The record is in a state that does not allow this."""

    code = "conflict"
    status = 409


class Forbidden(AppError):
    """The user's roles do not allow this."""

    code = "forbidden"
    status = 403


class NotSignedIn(AppError):
    """No session, or one that has ended."""

    code = "not_signed_in"
    status = 401


class Unavailable(AppError):
    """A part of the system does not answer just now; the same request may be tried again."""

    code = "unavailable"
    status = 503
