"""An SDP offer as we understand it: checked before aiortc sees it, with an error for each way it can be wrong."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from aiortc import sdp

from signaling.errors import SdpCodecUnsupported, SdpInvalid, SdpNoVideo

MAX_SECTIONS = 8
MAX_CANDIDATES = 64
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
    lines = [line for line in text.splitlines() if not (line.startswith("a=candidate:") and _has_host_name(line))]
    candidates = sum(line.startswith("a=candidate:") for line in lines)
    if candidates > MAX_CANDIDATES:  # each makes us send to an address of the sender's choice
        raise SdpInvalid(f"expected at most {MAX_CANDIDATES} ICE candidates, got {candidates}")
    cleaned = "\r\n".join(lines) + "\r\n"
    try:
        description = sdp.SessionDescription.parse(cleaned)
    except Exception as error:  # aiortc's parser raises whatever its split() and int() calls raise
        raise SdpInvalid("expected a well-formed SDP offer (RFC 8866)", detail=repr(error)) from error
    if not 1 <= len(description.media) <= MAX_SECTIONS:
        raise SdpInvalid(f"expected 1 to {MAX_SECTIONS} media sections, got {len(description.media)}")
    bundle = next((group for group in description.group if group.semantic == "BUNDLE"), None)
    if len(description.media) > 1 and (bundle is None or len(bundle.items) < len(description.media)):
        raise SdpInvalid("expected all media sections in one BUNDLE group (RFC 9143)")
    for media in description.media:
        if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
            raise SdpInvalid("expected ice-ufrag and ice-pwd in every media section (RFC 8839)")
        if media.dtls is None or not media.dtls.fingerprints:
            raise SdpInvalid("expected a DTLS fingerprint in every media section (RFC 8122)")
        if media.kind not in ("audio", "video", "application"):
            raise SdpInvalid(f"expected audio, video or application sections, got {media.kind!r}")
    return Offer(cleaned, tuple(_section(media) for media in description.media))


def _has_host_name(candidate: str) -> bool:
    """Whether a candidate names its address, as browsers do by mDNS to hide it.

    Looking it up takes seconds and often fails, while the browser's own checks reach us anyway and tell us where it
    is (RFC 8445 7.3.1.3, peer-reflexive candidates).
    """
    parts = candidate.split()
    try:
        ipaddress.ip_address(parts[4] if len(parts) > 4 else "")
    except ValueError:
        return True
    return False


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


def _section(media: sdp.MediaDescription) -> Section:
    direction = media.direction or "sendrecv"
    return Section(
        kind=media.kind,
        sends=media.port != 0 and direction in ("sendonly", "sendrecv"),
        receives=media.port != 0 and direction in ("recvonly", "sendrecv"),
        codecs=tuple(c.mimeType.split("/")[1] for c in media.rtp.codecs if not c.mimeType.lower().endswith("/rtx")),
    )
