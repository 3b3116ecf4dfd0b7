"""What EdgeAttend needs of aiortc beyond its public interface, all of it in one place (aiortc 1.16, pinned).

aiortc decodes every stream in a thread of its own, hands a frame out one packet late (when the next frame begins),
waits without limit for a lost packet, and ignores key-frame and bitrate feedback for pre-encoded tracks. Each
function here takes one of these decisions over. Only `signaling.rtcguard`, which lets packets fall that do harm, and
`signaling.sctp`, which bounds data channels, touch private names of aiortc, too.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partialmethod
from typing import Any

import aioice.ice
import aioice.stun
import av
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
)
from aiortc.codecs.vpx import Vp8Encoder as AiortcVp8Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcdtlstransport import RTCCertificate, SRTPProtectionProfile
from aiortc.rtcicetransport import connection_kwargs
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.rtp import RTCP_PSFB_APP, AnyRtcpPacket, RtcpPsfbPacket, RtpPacket, unpack_remb_fci
from aiortc.utils import uint16_add, uint16_gt
from OpenSSL import SSL

import signaling.rtcguard  # noqa: F401  for what it replaces
from signaling.codec import is_key_frame
from signaling.ice import IceServer

logger = logging.getLogger(__name__)

JITTER_PACKETS = 512
"""Receive window: half a second of the largest stream we ask for."""

LOSS_PATIENCE_S = 0.4
"""How long a frame may wait for a packet that was lost or is late, before we go on at the next key frame."""

MAX_LATE_IN_A_ROW = 128
"""As many as aiortc asks to be sent again: more packets with old numbers are a sender that counts anew."""

KEY_FRAME_EVERY_S = 0.5
"""How often a receiver that needs a key frame asks again."""


_own_addresses = aioice.ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """As aioice has it, but a machine without any network still meets itself over loopback."""
    return _own_addresses(use_ipv4, use_ipv6) or ["127.0.0.1"]


aioice.ice.get_host_addresses = _host_addresses


GATHERING_S = 2.0
"""For STUN and TURN servers to answer, where aioice waits for five: what got lost is asked again twice by then, and
nobody should wait longer to join because of a server that is not there."""

aioice.ice.Connection.get_component_candidates = partialmethod(  # type: ignore[method-assign,assignment]
    aioice.ice.Connection.get_component_candidates, timeout=GATHERING_S
)

UNAUTHORIZED = 401
"""RFC 8489 14.8: credentials that are wrong, or have expired."""

_own_relayed_candidate = aioice.ice.relayed_candidate


async def _relayed_candidate(*, turn_server: tuple[str, int], **more: Any) -> Any:
    """As aioice has it, but what goes wrong is told, where aioice goes on in silence."""
    try:
        return await _own_relayed_candidate(turn_server=turn_server, **more)
    except (Exception, asyncio.CancelledError) as error:
        logger.warning("no relay: the TURN server %s:%d %s", *turn_server, why_no_relay(error))
        raise


def why_no_relay(error: BaseException) -> str:
    """What a TURN server did, in words that go on from its name."""
    if isinstance(error, aioice.stun.TransactionFailed):
        code, words = error.response.attributes.get("ERROR-CODE", (0, "without a reason"))
        does = "does not take these credentials" if code == UNAUTHORIZED else "refuses"
        return f"{does}: {code} {words}"
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return f"cannot be reached: {error.strerror or error}"
    return "does not answer"


aioice.ice.relayed_candidate = _relayed_candidate


CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
    b":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    b":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
)
"""aiortc's list, and each of them for RSA keys too."""


class Certificate(RTCCertificate):
    """A DTLS certificate whose handshakes also take peers with RSA keys, as some WHIP clients have.

    What it cannot take is a P-224 key, which FFmpeg makes when built with GnuTLS: the OpenSSL that comes with
    `cryptography` has no such curve. FFmpeg then needs a key of its own (docs/protocol.md, WHIP clients).
    """

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(CIPHERS)
        return context


def peer_connection(certificate: RTCCertificate | None = None, stun: str | None = None) -> RTCPeerConnection:
    """A connection as both ends have it: everything over one transport, and no ICE servers but `stun`.

    With `certificate`, that one instead of aiortc's own.
    """
    servers = [] if stun is None else [RTCIceServer(stun)]
    connection = RTCPeerConnection(RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    if certificate is not None:
        connection._RTCPeerConnection__certificates = [certificate]  # type: ignore[attr-defined]
    return connection


def use_ice_servers(connection: RTCPeerConnection, servers: Iterable[IceServer]) -> None:
    """Gather candidates with the first STUN and the first TURN server that aiortc can use; it takes one of each.

    To be called before the first description is set, when there is something to connect for.
    """
    ice = _ice(connection)
    for server in servers:
        try:
            settings = connection_kwargs([RTCIceServer(server.url, server.username, server.credential)])
        except ValueError:  # an address of IPv6, which aiortc does not read
            continue
        if not any(getattr(ice, name) for name in settings.keys() & {"stun_server", "turn_server"}):
            for name, value in settings.items():
                setattr(ice, name, value)


def _ice(connection: RTCPeerConnection) -> aioice.ice.Connection:
    """What everything goes over (BUNDLE)."""
    assert connection.sctp is not None
    return connection.sctp.transport.transport._connection


def local_address(connection: RTCPeerConnection) -> str | None:
    """This machine's address on the path that media takes; None before there is one, and for a path over a relay."""
    pair = _ice(connection)._nominated.get(1)
    return pair.local_candidate.host if pair is not None and pair.local_candidate.type == "host" else None


def codec_capabilities(*names: str) -> list[RTCRtpCodecCapability]:
    """The capabilities for `setCodecPreferences`: the named video codecs in this order, then retransmission."""
    offered = RTCRtpSender.getCapabilities("video").codecs
    wanted = [c for name in names for c in offered if c.mimeType.lower() == f"video/{name}".lower()]
    return wanted + [c for c in offered if c.mimeType.lower() == "video/rtx"]


def negotiated_codecs(transceiver: RTCRtpTransceiver) -> dict[int, str]:
    """Payload type -> RTP encoding name (`VP8`, `H264`), without retransmission, after the answer is made."""
    names = {c.payloadType: c.mimeType.split("/")[1] for c in transceiver._codecs if c.payloadType is not None}
    return {payload_type: name for payload_type, name in names.items() if name.lower() != "rtx"}


def on_key_frame_request(sender: RTCRtpSender, callback: Callable[[], None]) -> None:
    """Call `callback` for every PLI or FIR of the remote side, instead of aiortc's own encoder."""
    sender._send_keyframe = callback  # type: ignore[method-assign]


PACKED_FRAMES = 16
"""A little more than a viewer's queue holds."""


class Vp8Packer:
    """Makes RTP payloads of each `av.Packet` once for all senders of one stream, where aiortc does so for each.

    Picture ids (RFC 7741 4.2) then count the stream's pictures, not those that one viewer got; everything else in a
    packet stays the sender's own.
    """

    def __init__(self, other: Vp8Packer | None = None) -> None:
        """`other`: of another rendition of the same pictures, whose packets this one takes too."""
        self._encoder = AiortcVp8Encoder()
        self._other = other
        self._packed: dict[int, tuple[av.Packet[Any], tuple[list[bytes], int]]] = {}
        """By identity, which is a packet's own as long as it is held here."""

    def put(self, packet: av.Packet[Any]) -> None:
        """The stream goes on with `packet`."""
        self._packed[id(packet)] = packet, self._encoder.pack(packet)
        if len(self._packed) > PACKED_FRAMES:
            del self._packed[next(iter(self._packed))]

    def pack(self, packet: av.Packet[Any]) -> tuple[list[bytes], int]:
        """aiortc's hook: payloads, and the RTP timestamp counted from the stream's start."""
        found = self._packed.get(id(packet))
        if found is not None:
            return found[1]
        if self._other is not None:
            return self._other.pack(packet)
        return self._encoder.pack(packet)  # a sender that is further behind packs for itself


def share_packer(sender: RTCRtpSender, packer: Vp8Packer) -> None:
    """Let `packer` stand for the encoder of `sender`, whose track gives encoded packets."""
    sender._RTCRtpSender__encoder = packer  # type: ignore[attr-defined]


RESENT_PER_S, RESENT_AT_ONCE = 60.0, 60
"""Packets. A stream has about 150 a second: this mends 30 % of loss, and a whole key frame at once. Receivers ask for
everything they miss again and again, so that without a limit a slow network gets five times what it cannot carry."""


def limit_retransmissions(sender: RTCRtpSender) -> None:
    """Answer negative acknowledgements of the remote side (RFC 4585, 6.2.1) at a bounded rate."""
    resend = sender._retransmit
    left, filled_s = float(RESENT_AT_ONCE), time.monotonic()

    async def limited(sequence_number: int) -> None:
        nonlocal left, filled_s
        now = time.monotonic()
        left, filled_s = min(left + (now - filled_s) * RESENT_PER_S, RESENT_AT_ONCE), now
        if left >= 1.0:
            left -= 1.0
            await resend(sequence_number)

    sender._retransmit = limited  # type: ignore[method-assign]


def on_bitrate_estimate(sender: RTCRtpSender, callback: Callable[[int], None]) -> None:
    """Call `callback` with every REMB estimate in bit/s of the remote side for this sender."""
    handle = sender._handle_rtcp_packet

    async def tap(packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            try:
                bits, ssrcs = unpack_remb_fci(packet.fci)
            except (ValueError, struct.error):
                return
            if sender._ssrc in ssrcs:
                callback(bits)
            return
        await handle(packet)

    sender._handle_rtcp_packet = tap  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One complete frame as it came: RTP encoding name, bytes, RTP timestamp (90 kHz), arrival (monotonic s)."""

    codec: str
    data: bytes
    timestamp: int
    arrived_s: float
    key: bool


class FrameReceiver(JitterBuffer):
    """Takes a receiver's packets and hands out whole encoded frames the moment their last packet is there.

    `sink` is called on the event loop and must not block. After a loss that retransmission does not mend within
    `LOSS_PATIENCE_S`, frames are withheld until the next key frame, which is asked for again and again.
    """

    def __init__(self, transceiver: RTCRtpTransceiver, sink: Callable[[EncodedFrame], None]) -> None:
        super().__init__(capacity=JITTER_PACKETS, is_video=True)
        self._transceiver = transceiver
        self._codecs: dict[int, str] = {}
        self._sink = sink
        self._needs_key = True
        self._asked_s: float | None = None
        self._gap_since_s: float | None = None
        self._ssrc: int | None = None
        self._late_in_a_row = 0
        self._newest = 0
        self._contiguous_end = 0
        self.last_packet_s: float | None = None
        self.frames = 0
        self.losses = 0
        transceiver.receiver._RTCRtpReceiver__jitter_buffer = self  # type: ignore[attr-defined]

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """aiortc's hook: (whether to send a PLI now, never a frame: ours go to the sink)."""
        now = time.monotonic()
        self.last_packet_s = now
        late = self._origin is not None and uint16_gt(self._origin, packet.sequence_number)
        self._late_in_a_row = self._late_in_a_row + 1 if late else 0
        if packet.ssrc != self._ssrc or self._late_in_a_row > MAX_LATE_IN_A_ROW:
            self._start(packet)
            self._asked_s = now  # a stream begins with a key frame: give it time to come
        elif late:
            return False, None  # a retransmission that came too late to be of use
        elif uint16_gt(packet.sequence_number, self._newest):
            self._newest = packet.sequence_number
        overrun, _ = super().add(packet)
        if overrun:  # also when the sequence numbers jumped: frames were lost before any that is delivered now
            self._newest = packet.sequence_number
            self._lose()
        self._deliver_complete()
        self._give_up_on_old_gap(now)
        ask = self._needs_key and (self._asked_s is None or now - self._asked_s >= KEY_FRAME_EVERY_S)
        if ask:
            self._asked_s = now
        return ask, None

    def _start(self, packet: RtpPacket) -> None:
        """A stream begins, with sequence numbers of its own: whatever is left of one before it is lost."""
        if self._ssrc is not None:
            self._lose()
        self._ssrc = packet.ssrc
        self._late_in_a_row = 0
        if self._origin is not None:
            self.remove(self.capacity)
        self._origin = None
        self._newest = packet.sequence_number

    def need_key_frame(self) -> None:
        """The decoder lost the thread: withhold frames until a key frame; ask for one with the next packet."""
        self._needs_key = True
        self._asked_s = None

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        """aiortc's way to take a frame out, unused: `add` has to know of an overrun before it delivers."""
        return None

    def _deliver_complete(self) -> None:
        """Deliver every complete frame at the head: it ends at its marker bit (RFC 7741 4.1, RFC 6184 5.1)."""
        assert self._origin is not None
        first, delivered = self._origin, 0
        packets: list[RtpPacket] = []
        count = 0
        while count < self.capacity:
            packet = self._packets[(first + count) % self.capacity]
            if packet is None:
                break
            if packets and packet.timestamp != packets[0].timestamp:
                self._deliver(packets)
                packets, delivered = [], count
            packets.append(packet)
            count += 1
            if packet.marker:
                self._deliver(packets)
                packets, delivered = [], count
        contiguous_end = uint16_add(first, count)
        if contiguous_end != self._contiguous_end:
            self._contiguous_end = contiguous_end
            self._gap_since_s = None  # the packet that was missed came; another one may be missing now
        self.remove(delivered)

    def _deliver(self, packets: list[RtpPacket]) -> None:
        data = b"".join(p._data for p in packets)  # type: ignore[attr-defined]
        if not self._codecs:
            self._codecs = negotiated_codecs(self._transceiver)
        codec = self._codecs.get(packets[0].payload_type)
        if not data or codec is None:
            return
        key = is_key_frame(codec, data)
        self._needs_key = self._needs_key and not key
        if not self._needs_key:
            self.frames += 1
            self._sink(EncodedFrame(codec, data, packets[0].timestamp, time.monotonic(), key))

    def _give_up_on_old_gap(self, now: float) -> None:
        if self._contiguous_end == uint16_add(self._newest, 1):
            self._gap_since_s = None
        elif self._gap_since_s is None:
            self._gap_since_s = now
        elif now - self._gap_since_s > LOSS_PATIENCE_S:
            self.remove(self.capacity)
            self._origin = uint16_add(self._newest, 1)
            self._lose()

    def _lose(self) -> None:
        self.losses += 1
        self._gap_since_s = None
        self.need_key_frame()
