"""One WebRTC session with the host: a connection, and on it video in, the grid out, and the data channel `mood`."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import Protocol

from aiortc import RTCDataChannel, RTCSessionDescription

from host.endpoint import Endpoint
from host.fanout import Fanout, GridTrack
from host.offer import RECEIVED_CODECS, SENT_CODEC, Offer
from signaling import rtc
from signaling.errors import SdpInvalid, place_of
from signaling.protocol import CHANNEL_LABEL, FromHost, encode
from signaling.sctp import bound_channels

MAX_BUFFERED_BYTES = 16_384
"""Of messages a participant's channel has not taken yet: beyond it new ones are dropped, and repeated later."""


class SessionListener(Protocol):
    """Who hears of what happens in a session; every call comes on the event loop and must return at once."""

    def session_connected(self, session: Session) -> None:
        """The media path stands."""

    def session_lost(self, session: Session) -> None:
        """The connection failed or the remote side closed it."""

    def session_channel(self, session: Session) -> None:
        """The data channel is open."""

    def session_message(self, session: Session, data: str | bytes) -> None:
        """Something came on the data channel."""

    def session_frame(self, session: Session, frame: rtc.EncodedFrame) -> None:
        """A complete encoded video frame came."""


class Session:
    """Answers one offer, then lives until `close`. Owns the connection and the viewer's end of the fan-out."""

    def __init__(self, endpoint: Endpoint, fanout: Fanout, listener: SessionListener) -> None:
        self.id = secrets.token_urlsafe(16)
        self.created_s = time.monotonic()
        self.ever_connected = False
        self.receiver: rtc.FrameReceiver | None = None
        self._fanout = fanout
        self._listener = listener
        self._endpoint = endpoint
        self._connection = endpoint.connect()
        self._connection.on("connectionstatechange", self._on_state)
        self._connection.on("datachannel", self._on_channel)
        self._channel: RTCDataChannel | None = None
        self._track: GridTrack | None = None

    def overdue(self, now_s: float, timeout_s: float) -> bool:
        """Whether the connection has not come about within `timeout_s`."""
        return not self.ever_connected and now_s - self.created_s > timeout_s

    def hear_with(self, listener: SessionListener) -> None:
        """Let another listener hear of this session."""
        self._listener = listener

    async def answer(self, offer: Offer, *, publish: bool) -> str:
        """The SDP answer to `offer`: receive its video if `publish`, send the grid if it wants it, refuse the rest.

        Raises `SdpInvalid` for an offer that aiortc cannot answer.
        """
        incoming = offer.publishes if publish else None
        outgoing = offer.watches
        for index, section in enumerate(offer.sections):
            if section.kind in ("audio", "video"):
                self._add_transceiver(section.kind, receives=index == incoming, sends=index == outgoing)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            bound_channels(self._connection)
            answer = await self._connection.createAnswer()
            began_s = time.monotonic()
            await self._connection.setLocalDescription(answer)
        except asyncio.CancelledError:  # at the server's end: nobody else knows of this session yet
            await self.close()
            raise
        except Exception as error:  # whatever aiortc finds wrong in an offer that got this far
            await self.close()
            raise SdpInvalid("expected an SDP offer that can be answered", detail=place_of(error)) from error
        self._endpoint.gathered(self._connection, time.monotonic() - began_s)
        return self._connection.localDescription.sdp

    def _add_transceiver(self, kind: str, *, receives: bool, sends: bool) -> None:
        """Transceivers are made before the offer is applied, in its order, since codecs are settled then."""
        direction = {(True, True): "sendrecv", (True, False): "recvonly", (False, True): "sendonly"}.get(
            (receives, sends), "inactive"
        )
        transceiver = self._connection.addTransceiver(kind, direction=direction)
        if sends:
            transceiver.setCodecPreferences(rtc.codec_capabilities(SENT_CODEC))
            self._track = self._fanout.subscribe()
            transceiver.sender.replaceTrack(self._track)
            rtc.share_packer(transceiver.sender, self._fanout.packer)
            rtc.on_key_frame_request(transceiver.sender, self._track.request_key_frame)
            rtc.on_bitrate_estimate(transceiver.sender, self._track.estimate)
            rtc.limit_retransmissions(transceiver.sender)
        elif receives:
            transceiver.setCodecPreferences(rtc.codec_capabilities(*RECEIVED_CODECS))
        if receives:
            self.receiver = rtc.FrameReceiver(transceiver, lambda frame: self._listener.session_frame(self, frame))

    def send(self, message: FromHost) -> None:
        """Send one message, or drop it when the channel is closed or full: whatever matters is repeated."""
        channel = self._channel
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > MAX_BUFFERED_BYTES:
            return
        # The transport closed before the channel heard of it; or the message is longer than the offer said to send.
        text = encode(message)
        with contextlib.suppress(ConnectionError, ValueError):
            channel.send(text)

    async def close(self) -> None:
        """End the session, whatever state it is in; safe to call twice."""
        if self._track is not None:
            self._track.stop()
        await self._connection.close()

    def _on_state(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self.ever_connected = True
            self._listener.session_connected(self)
        elif state in ("failed", "closed"):
            self._listener.session_lost(self)

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL_LABEL or self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("message", lambda data: self._listener.session_message(self, data))
        self._listener.session_channel(self)
