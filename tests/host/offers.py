"""SDP offers written by hand, and real ones made by aiortc."""

from __future__ import annotations

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

FINGERPRINT = ":".join(["AB"] * 32)


def section(
    kind: str = "video",
    direction: str = "sendonly",
    *,
    mid: str = "0",
    codecs: tuple[str, ...] = ("VP8",),
    port: int = 9,
    without: tuple[str, ...] = (),
    candidates: tuple[str, ...] = (),
) -> str:
    """One m-line with its attributes, but for those whose names are in `without`."""
    if kind == "application":
        lines = [f"m=application {port} UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000"]
    else:
        types = [str(97 + number) for number in range(len(codecs))]
        lines = [f"m={kind} {port} UDP/TLS/RTP/SAVPF {' '.join(types)}", f"a={direction}", "a=rtcp-mux"]
        lines += [f"a=rtpmap:{pt} {codec}/90000" for pt, codec in zip(types, codecs, strict=True)]
    lines += ["c=IN IP4 0.0.0.0", f"a=mid:{mid}", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901"]
    lines += [f"a=fingerprint:sha-256 {FINGERPRINT}", "a=setup:actpass", *(f"a=candidate:{c}" for c in candidates)]
    return "\r\n".join(line for line in lines if not line.startswith(tuple(f"a={name}" for name in without))) + "\r\n"


GRID = section(direction="recvonly", mid="1")
CHANNEL = section("application", mid="2")


def offer(*sections: str, bundle: str | None = None) -> str:
    """An offer of these sections; `bundle` None puts every one of them in the group."""
    group = " ".join(str(number) for number in range(len(sections))) if bundle is None else bundle
    head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", *([f"a=group:BUNDLE {group}"] if group else [])]
    return "\r\n".join(head) + "\r\n" + "".join(sections)


async def real_offer(*directions: str, channel: bool = False) -> str:
    """What aiortc offers with one video section per direction; nobody will ever connect to it."""
    configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    connection = RTCPeerConnection(configuration)
    for direction in directions:
        connection.addTransceiver("video", direction=direction)
    if channel:
        connection.createDataChannel("mood")
    await connection.setLocalDescription(await connection.createOffer())
    text: str = connection.localDescription.sdp
    await connection.close()
    return text
