"""An SDP offer as we understand it: checked before aiortc sees it, with an error for each way it can be wrong."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from aiortc import sdp

from signaling.errors import SdpCodecUnsupported, SdpInvalid, SdpNoVideo, place_of

MAX_SECTIONS = 8
MAX_CANDIDATES = 64
MAX_LINES = {"a=rtpmap:": 256, "a=fmtp:": 512, "a=rtcp-fb:": 512, "a=rtcp-fb:*": 64, "a=ssrc:": 512}
"""Of the kinds that aiortc's parser compares with each other, all sections together: four times what browsers offer.
Without it 60 KB of them keep the event loop busy for 4 s."""

MAX_CREDENTIAL_CHARS = 256
"""RFC 8839 5.4. Both go into every connectivity check, which we send to addresses of the sender's choice."""

MAX_MID_CHARS = 64
"""It goes into every packet of the grid; RFC 9143 14 asks for three characters or fewer."""

EXTENSION_IDS = range(1, 256)
"""RFC 8285 4.3."""

MAX_PAYLOAD_TYPE = 127
"""RFC 3550 5.1: seven bits."""

PORTS = range(1, 65536)
BROADCAST = ipaddress.IPv4Address("255.255.255.255")
RECEIVED_CODECS = ("VP8", "H264")
SENT_CODEC = "VP8"


@dataclass(frozen=True, slots=True)
class Section:
    """One m-line: its kind, and what the remote side offers to do there."""

    kind: str
    sends: bool
    receives: bool
    codecs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A checked offer: the text for aiortc and its sections in order."""

    sdp: str
    sections: tuple[Section, ...]

    @property
    def publishes(self) -> int | None:
        """Index of the video section that the remote side sends on, if any: the first."""
        return next((i for i, s in enumerate(self.sections) if s.kind == "video" and s.sends), None)

    @property
    def watches(self) -> int | None:
        """Index of the video section that the remote side wants to receive on: one for that alone comes first."""
        wanted = [i for i, s in enumerate(self.sections) if s.kind == "video" and s.receives]
        both = [i for i in wanted if SENT_CODEC in self.sections[i].codecs]  # H.264 alone both ways: then only in
        return next((i for i in wanted if not self.sections[i].sends), both[0] if both else None)


def parse_offer(text: str) -> Offer:
    """Parse and check an offer.

    Raises `SdpInvalid` for text that is no WebRTC offer (RFC 8866, RFC 8829).
    """
    if not text.startswith("v=0"):
        raise SdpInvalid(f"expected an SDP offer that begins with 'v=0', got {text[:20]!r}")
    lines = [line for line in text.splitlines() if _is_of_use(line)]
    candidates = sum(line.startswith("a=candidate:") for line in lines)
    if candidates > MAX_CANDIDATES:  # each makes us send to an address of the sender's choice
        raise SdpInvalid(f"expected at most {MAX_CANDIDATES} ICE candidates, got {candidates}")
    for kind, most in MAX_LINES.items():
        count = sum(line.startswith(kind) for line in lines)
        if count > most:
            raise SdpInvalid(f"expected at most {most} lines that begin with {kind!r}, got {count}")
    cleaned = "\r\n".join(lines) + "\r\n"
    _check_payload_types(lines)
    try:
        description = sdp.SessionDescription.parse(cleaned)
    except Exception as error:  # aiortc's parser raises whatever its split() and int() calls raise
        raise SdpInvalid("expected a well-formed SDP offer (RFC 8866)", detail=place_of(error)) from error
    if not 1 <= len(description.media) <= MAX_SECTIONS:
        raise SdpInvalid(f"expected 1 to {MAX_SECTIONS} media sections, got {len(description.media)}")
    _check_bundle(description)
    for media in description.media:
        _check_transport(media)
        if media.kind not in ("audio", "video", "application"):
            raise SdpInvalid(f"expected audio, video or application sections, got {media.kind!r}")
        if media.kind == "application":
            _check_sctp(media)
    groups = sdp.grouplines(cleaned)[1]
    sections = tuple(_section(media, group) for media, group in zip(description.media, groups, strict=True))
    return Offer(_in_order(cleaned, description), sections)


def _check_payload_types(lines: list[str]) -> None:
    """Each names one codec of its section (RFC 8866 6.6): aiortc would give feedback to all of the same number, and
    half a megabyte of such lines took seven seconds."""
    named: set[int] = set()
    for line in lines:
        if line.startswith("m="):
            named.clear()
        elif line.startswith("a=rtpmap:"):
            number = line[len("a=rtpmap:") :].split(" ", maxsplit=1)[0]
            if not (number.isdecimal() and len(number) <= 3 and int(number) <= MAX_PAYLOAD_TYPE):
                raise SdpInvalid(f"expected payload types from 0 to {MAX_PAYLOAD_TYPE} (RFC 3550), got another one")
            if int(number) in named:
                raise SdpInvalid("expected one codec for each payload type of a section (RFC 8866), got two")
            named.add(int(number))


def _is_of_use(line: str) -> bool:
    """Whether aiortc shall see this line: of what it cannot work with, some may be ignored, and some it trips over."""
    if line.startswith("a=candidate:"):
        return _can_be_checked(line.split())
    if line.startswith("a=extmap:"):
        number = line[len("a=extmap:") :].split("/", maxsplit=1)[0].split(" ", maxsplit=1)[0]
        return number.isdecimal() and len(number) <= 4 and int(number) in EXTENSION_IDS
    # There are always others: those whose addresses are hidden. After an end without any, aioice would gather none.
    return line != "a=end-of-candidates"


def _can_be_checked(candidate: list[str]) -> bool:
    """Whether a check can be sent to this candidate (RFC 8839 5.1): UDP to a plain address of one machine.

    Browsers name some of theirs by mDNS to hide them: looking that up takes seconds and often fails, while their own
    checks reach us anyway and tell us where they are (RFC 8445 7.3.1.3, peer-reflexive candidates). A zone (`%eth0`)
    would be one of ours.
    """
    if len(candidate) < 8 or candidate[2].lower() != "udp" or not candidate[5].isdecimal():
        return False
    try:
        address = ipaddress.ip_address(candidate[4])
    except ValueError:
        return False
    zone = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
    nobody = address.is_multicast or address.is_unspecified or address == BROADCAST
    return not zone and not nobody and len(candidate[5]) <= 5 and int(candidate[5]) in PORTS


def _check_bundle(description: sdp.SessionDescription) -> None:
    mids = [media.rtp.muxId for media in description.media]
    for mid in mids:
        if mid is None or len(mid) > MAX_MID_CHARS or not (mid.isascii() and mid.isprintable()) or " " in mid:
            raise SdpInvalid(f"expected mids of at most {MAX_MID_CHARS} visible characters, got another one")
    if len(mids) == 1:
        return
    bundle = next((group for group in description.group if group.semantic == "BUNDLE"), None)
    if bundle is None or not set(mids) <= set(bundle.items):
        raise SdpInvalid("expected all media sections in one BUNDLE group (RFC 9143)")
    if len(set(mids)) < len(mids):
        raise SdpInvalid("expected another mid in every media section (RFC 9143)")


def _in_order(text: str, description: sdp.SessionDescription) -> str:
    """The BUNDLE group in the order of the sections, audio and video first.

    aiortc takes the first of the group for the one whose transport stays, and closes that of our first transceiver if
    it is another: nobody could connect to the answer.
    """
    sections = sorted(description.media, key=lambda media: media.kind == "application")
    group = "a=group:BUNDLE " + " ".join(media.rtp.muxId for media in sections)
    return re.sub(r"^a=group:BUNDLE [^\r\n]*", lambda _: group, text, flags=re.MULTILINE)


def _check_transport(media: sdp.MediaDescription) -> None:
    if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
        raise SdpInvalid("expected ice-ufrag and ice-pwd in every media section (RFC 8839)")
    for credential in (media.ice.usernameFragment, media.ice.password):
        if len(credential) > MAX_CREDENTIAL_CHARS or not (credential.isascii() and credential.isprintable()):
            raise SdpInvalid(
                f"expected ice-ufrag and ice-pwd of at most {MAX_CREDENTIAL_CHARS} printable characters (RFC 8839),"
                f" got {len(credential)}"
            )
    if media.dtls is None or not media.dtls.fingerprints:
        raise SdpInvalid("expected a DTLS fingerprint in every media section (RFC 8122)")


def _check_sctp(media: sdp.MediaDescription) -> None:
    """The port stands in every packet of the data channel (RFC 8841 5.1, or as drafts before it had it)."""
    legacy = media.profile == "DTLS/SCTP" and str(media.fmt[0]).isdecimal()
    port = int(media.fmt[0]) if legacy else media.sctp_port
    if port not in PORTS:
        raise SdpInvalid("expected an sctp-port from 1 to 65535 in an application section (RFC 8841)")


def require_publishing(offer: Offer) -> None:
    """Raise unless a participant can be made of `offer`: it sends video in a codec we decode."""
    if offer.publishes is None:
        kinds = ", ".join(s.kind for s in offer.sections)
        raise SdpNoVideo(f"expected a video section that sends (a=sendonly or a=sendrecv), got sections: {kinds}")
    _require_codec(offer.sections[offer.publishes], RECEIVED_CODECS)
    if offer.watches is not None:
        _require_codec(offer.sections[offer.watches], (SENT_CODEC,))


def require_watching(offer: Offer) -> None:
    """Raise unless `offer` can receive the grid."""
    if offer.watches is None:
        kinds = ", ".join(s.kind for s in offer.sections)
        raise SdpNoVideo(f"expected a video section that receives (a=recvonly), got sections: {kinds}")
    _require_codec(offer.sections[offer.watches], (SENT_CODEC,))


def _require_codec(section: Section, accepted: tuple[str, ...]) -> None:
    if not any(codec.upper() in accepted for codec in section.codecs):
        offered = ", ".join(dict.fromkeys(section.codecs)) or "none"
        raise SdpCodecUnsupported(f"expected the video codec {' or '.join(accepted)}, got {offered}")


def _section(media: sdp.MediaDescription, lines: list[str]) -> Section:
    direction = media.direction or "sendrecv"
    wanted = media.port != 0 or "a=bundle-only" in lines  # port 0 alone refuses a section (RFC 9143 6)
    return Section(
        kind=media.kind,
        sends=wanted and direction in ("sendonly", "sendrecv"),
        receives=wanted and direction in ("recvonly", "sendrecv"),
        codecs=tuple(c.mimeType.split("/")[1] for c in media.rtp.codecs if not c.mimeType.lower().endswith("/rtx")),
    )
