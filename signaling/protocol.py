"""The data channel `mood`: every message that participant and host exchange, and their limits.

JSON text, protocol version 1, one message per SCTP message, unordered and without retransmission, so that a
message is never late: whoever needs a value that got lost hears it again within `REPEAT_S`. See docs/protocol.md.
"""

from __future__ import annotations

import enum
import unicodedata
from typing import Annotated, TypeVar

import msgspec

from signaling.errors import MessageInvalid, NameInvalid

VERSION = 1
CHANNEL_LABEL = "mood"

MAX_MESSAGE_BYTES = 4096
MAX_MESSAGES_PER_S = 20
MAX_NAME_CHARS = 64

BLANK_CHARS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols to Unicode, nothing to the eye: Hangul fillers and the empty Braille cell."""

PING_EVERY_S = 1.0
MOOD_EVERY_S = 1.0
REPEAT_S = 5.0
"""How often the host repeats `send` and `roster`, since the channel may lose any message."""

STALE_AFTER_S = 3.0
GONE_AFTER_S = 10.0

RESUME_HEADER = "X-EdgeAttend-Resume"


class Label(enum.StrEnum):
    """What a participant's device says of its person; the only thing that leaves it beside the video."""

    ATTENTIVE = "attentive"
    NOT_ATTENTIVE = "not_attentive"
    UNKNOWN = "unknown"


class Reason(enum.StrEnum):
    """Why the label is what it is."""

    FACE = "face"
    NO_FACE = "no_face"
    PAUSED = "paused"
    NO_MODEL = "no_model"
    AWAY = "away"
    TURNED = "turned"
    DOWN = "down"
    EYES_CLOSED = "eyes_closed"
    LOOKING_OFF = "looking_off"


class ParticipantState(enum.StrEnum):
    """Where a participant stands; the transitions are in `host.participant`."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    GONE = "gone"


NonNegative = Annotated[int, msgspec.Meta(ge=0)]
Token = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~+/=-]*\Z")]
"""RFC 6750 2.1. Whoever tried to come back with another would get no further than their own HTTP client."""


class Mood(msgspec.Struct, frozen=True, tag_field="t", tag="mood"):
    """participant -> host: at every change of label and at least every `MOOD_EVERY_S`."""

    label: Label
    score: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    reason: Reason
    seq: NonNegative


class Pong(msgspec.Struct, frozen=True, tag_field="t", tag="pong"):
    """participant -> host: the answer to `Ping`, with its id."""

    id: NonNegative


class Welcome(msgspec.Struct, frozen=True, tag_field="t", tag="welcome"):
    """host -> participant: first message; `resume` is the personal token that takes this tile back."""

    v: int
    participant: str
    room: str
    resume: Token


class Send(msgspec.Struct, frozen=True, tag_field="t", tag="send"):
    """host -> participant: the box (pixels), rate (frames/s) and bitrate (kbit/s) that its tile can show."""

    width: Annotated[int, msgspec.Meta(ge=16, le=4096)]
    height: Annotated[int, msgspec.Meta(ge=16, le=4096)]
    fps: Annotated[int, msgspec.Meta(ge=1, le=60)]
    kbps: Annotated[int, msgspec.Meta(ge=30, le=20_000)]


class RosterEntry(msgspec.Struct, frozen=True):
    """One participant as everybody may see them: never a label."""

    id: str
    name: str
    state: ParticipantState


class Roster(msgspec.Struct, frozen=True, tag_field="t", tag="roster"):
    """host -> participant: who is here, at every change."""

    participants: list[RosterEntry]


class Ping(msgspec.Struct, frozen=True, tag_field="t", tag="ping"):
    """host -> participant: every `PING_EVERY_S`; to be answered with `Pong`."""

    id: NonNegative


class Bye(msgspec.Struct, frozen=True, tag_field="t", tag="bye"):
    """host -> participant: this session ends now, and why (`ByeReason`, or a later version's word)."""

    reason: str


class ByeReason(enum.StrEnum):
    """Why the host ends a session; `docs/protocol.md` says which of them are worth a reconnect."""

    REPLACED = "replaced"
    REMOVED = "removed"
    SILENT = "silent"
    MISBEHAVED = "misbehaved"
    SHUTDOWN = "shutdown"


FromParticipant = Mood | Pong
FromHost = Welcome | Send | Roster | Ping | Bye

_T = TypeVar("_T")

_encoder = msgspec.json.Encoder()
_from_participant: msgspec.json.Decoder[FromParticipant] = msgspec.json.Decoder(FromParticipant)
_from_host: msgspec.json.Decoder[FromHost] = msgspec.json.Decoder(FromHost)


def encode(message: FromParticipant | FromHost) -> str:
    """The message as JSON text."""
    return _encoder.encode(message).decode()


def decode_from_participant(data: str | bytes) -> FromParticipant:
    """Parse what a participant sent. Raises `MessageInvalid` that names what was expected and what came."""
    return _decode(_from_participant, data)


def decode_from_host(data: str | bytes) -> FromHost:
    """Parse what the host sent. Raises `MessageInvalid` that names what was expected and what came."""
    return _decode(_from_host, data)


def _decode(decoder: msgspec.json.Decoder[_T], data: str | bytes) -> _T:
    size = len(data.encode(errors="surrogatepass")) if isinstance(data, str) else len(data)
    if size > MAX_MESSAGE_BYTES:
        raise MessageInvalid(f"expected at most {MAX_MESSAGE_BYTES} bytes, got {size}")
    if isinstance(data, bytes):
        raise MessageInvalid(f"expected JSON text, got {size} bytes of binary")
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:  # the last: nested a thousand times
        raise MessageInvalid(str(error)) from error


def clean_name(raw: str) -> str:
    """A display name fit for every screen: NFC, trimmed, one line, no control or direction-override characters.

    Any script, emoji and markup are fine: they are drawn as text. Raises `NameInvalid` for an empty name, for one
    over `MAX_NAME_CHARS` characters, and for one that holds control characters.
    """
    name = " ".join(unicodedata.normalize("NFC", raw).split())
    if not name:
        raise NameInvalid(f"expected a name of 1 to {MAX_NAME_CHARS} characters, got an empty one")
    if len(name) > MAX_NAME_CHARS:
        raise NameInvalid(f"expected a name of 1 to {MAX_NAME_CHARS} characters, got {len(name)}")
    for char in name:
        # Cc: control, Cs: lone surrogates; the explicit list are the embedding, override and isolate controls
        # (UAX #9) with which one name could reorder the text around it.
        if (
            unicodedata.category(char) in ("Cc", "Cs")
            or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ):
            raise NameInvalid(f"expected a name without control characters, got U+{ord(char):04X}")
    if not any(unicodedata.category(char)[0] in "LNPS" and char not in BLANK_CHARS for char in name):
        raise NameInvalid("expected a name with at least one visible character, got none")
    return name
