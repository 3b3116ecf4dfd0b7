"""Every error that a user may see: a stable code, an HTTP status and a sentence, apart from what the log gets.

`message` goes to the user and says what was expected and what came; `detail` goes to the log alone.
Codes are part of the protocol: docs/protocol.md lists them.
"""

from __future__ import annotations

from pathlib import Path


class EdgeAttendError(Exception):
    """Base of all errors with a user-facing message."""

    code = "internal"
    status = 500
    retry_after_s: int | None = None
    """When it is worth while to ask again, whole seconds."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


def place_of(error: BaseException) -> str:
    """For a `detail`: the kind of `error` and the line that raised it. Its own words may be what somebody sent, a token
    or an address."""
    traceback = error.__traceback__
    if traceback is None:
        return type(error).__name__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{type(error).__name__} at {Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"


class TokenMissing(EdgeAttendError):
    code, status = "token_missing", 401


class TokenInvalid(EdgeAttendError):
    code, status = "token_invalid", 401


class TokenExpired(EdgeAttendError):
    code, status = "token_expired", 401


class RoleForbidden(EdgeAttendError):
    code, status = "role_forbidden", 403


class RoomForbidden(EdgeAttendError):
    code, status = "room_forbidden", 403


class RoomUnknown(EdgeAttendError):
    code, status = "room_unknown", 404


class SessionUnknown(EdgeAttendError):
    code, status = "session_unknown", 404


class ParticipantUnknown(EdgeAttendError):
    code, status = "participant_unknown", 404


class ParticipantRemoved(EdgeAttendError):
    code, status = "removed", 403


class ModeFixed(EdgeAttendError):
    code, status = "mode_fixed", 409


class ModeChanged(EdgeAttendError):
    code, status = "mode_changed", 409


class NotFound(EdgeAttendError):
    code, status = "not_found", 404


class MethodNotAllowed(EdgeAttendError):
    code, status = "method_not_allowed", 405


class BodyTooLarge(EdgeAttendError):
    code, status = "too_large", 413


class BodyTooSlow(EdgeAttendError):
    code, status = "request_timeout", 408


class TooManyRequests(EdgeAttendError):
    """`retry_after_s`: when to try again, whole seconds."""

    code, status = "too_many_requests", 429

    def __init__(self, message: str, *, detail: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, detail=detail)
        self.retry_after_s = retry_after_s


class MediaTypeUnsupported(EdgeAttendError):
    code, status = "media_type_unsupported", 415


class BadRequest(EdgeAttendError):
    code, status = "bad_request", 400


class NameInvalid(EdgeAttendError):
    code, status = "name_invalid", 400


class SdpInvalid(EdgeAttendError):
    code, status = "sdp_invalid", 400


class SdpNoVideo(EdgeAttendError):
    code, status = "sdp_no_video", 422


class SdpCodecUnsupported(EdgeAttendError):
    code, status = "sdp_codec_unsupported", 422


class RoomFull(EdgeAttendError):
    code, status = "room_full", 503
    retry_after_s = 5


class Overloaded(EdgeAttendError):
    """The host has too much to do to let anybody new in."""

    code, status = "overloaded", 503
    retry_after_s = 10  # as long as it takes at least until there is room (host/headroom.py)


class Draining(EdgeAttendError):
    """The server is shutting down."""

    code, status = "draining", 503
    retry_after_s = 2  # a restart takes no longer, and clients wait a little more than they are told


class MessageInvalid(EdgeAttendError):
    code, status = "message_invalid", 400


class ConfigInvalid(EdgeAttendError):
    """A command line, file or environment value that cannot work; ends the command with exit code 2."""

    code, status = "config_invalid", 500


class SourceUnavailable(EdgeAttendError):
    """A camera or file that cannot be read now."""

    code, status = "source_unavailable", 500


class ModelUnavailable(EdgeAttendError):
    """A model file that is missing, unreadable, or not of the contract's form."""

    code, status = "model_unavailable", 500


class PortTaken(EdgeAttendError):
    code, status = "port_taken", 500
