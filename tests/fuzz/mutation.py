"""SDP offers as others make them, and changes to them: lines, numbers, characters, attributes, whole sections."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

OFFERS = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "offers").glob("*.sdp"))}
"""Recorded of Chromium and aiortc; in the forms of Firefox, Safari, OBS (libdatachannel), GStreamer and FFmpeg."""

NUMBERS = (
    *("0", "-1", "1", "9", "127", "128", "255", "256", "300", "65535", "65536", "4294967296", "18446744073709551616"),
    *("9" * 300, "9" * 5000, "1e9", "NaN", "inf", "0x10", "", " ", "1.5", "٣٤", "９６", "²", "+1", "1_0"),
)
CHARS = ("\x00", "\x0b", "\x1c", "\x85", "\u2028", "\ufeff", "é", "💥", "%", "\\", ":", "/", " ", "\t", "=", ";", '"')

LINES = (
    *("v=1", "s=", "t=a b", "o=", "c=IN IP4 224.0.0.1", "c=IN IP6 ::", "c=IN IP4 256.0.0.1/127", "c=", "b=AS:0", "k=x"),
    *(
        "a=",
        "a=:",
        "a",
        "=",
        "",
        "a=mid:",
        "a=mid:0",
        "a=mid:1",
        "a=mid:" + "m" * 64,
        "a=mid:" + "m" * 300,
        "a=mid:ü 1",
    ),
    *("a=group:BUNDLE", "a=group:BUNDLE 9 8 7", "a=group:BUNDLE 2 1 0", "a=group:BUNDLE 0 0 0", "a=group:LS 0 1"),
    *("a=group:BUNDLE " + "0 1 2 3 " * 400, "a=group", "a=bundle-only", "a=ice-lite", "a=end-of-candidates"),
    *("a=setup:active", "a=setup:passive", "a=setup:holdconn", "a=setup:actpass", "a=setup:", "a=setup"),
    *("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive", "a=rtcp-mux", "a=rtcp:0", "a=rtcp:70000 IN IP4 x"),
    *("a=ice-ufrag:", "a=ice-ufrag:a", "a=ice-ufrag:" + "u" * 40_000, "a=ice-ufrag:ü💥", "a=ice-ufrag:a:b"),
    *("a=ice-pwd:", "a=ice-pwd:p", "a=ice-pwd:" + "p" * 40_000, "a=ice-pwd:ü💥", "a=ice-options:" + "x " * 500),
    *(
        "a=fingerprint:sha-256 AB",
        "a=fingerprint:md2 " + "00:" * 15 + "00",
        "a=fingerprint:sha-512 x",
        "a=fingerprint:",
    ),
    *("a=fingerprint:sha-1 " + "FF:" * 400, "a=fingerprint:none of these", "a=fingerprint"),
    *("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/0", "a=rtpmap:300 VP8/90000", "a=rtpmap:-1 VP8/90000", "a=rtpmap:96 /"),
    *("a=rtpmap:72 VP8/90000", "a=rtpmap:97 rtx/90000", "a=rtpmap:96 h264/90000", "a=rtpmap:111 opus/48000/99999"),
    *("a=fmtp:97 apt=96", "a=fmtp:97 apt=97", "a=fmtp:97 apt=x", "a=fmtp:97 apt", "a=fmtp:96 ;;=;", "a=fmtp:255 a=b"),
    *("a=fmtp:96 packetization-mode=x;profile-level-id=", "a=fmtp:96 profile-level-id=zzzzzz", "a=fmtp:" + "9" * 5000),
    *("a=rtcp-fb:* nack", "a=rtcp-fb:96", "a=rtcp-fb:* " + "x" * 900, "a=rtcp-fb:96 nack pli pli pli", "a=rtcp-fb:"),
    *("a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid"),
    *("a=extmap:256 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:1/both u", "a=extmap:1", "a=extmap:4096 x"),
    *(
        "a=extmap:-1 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:1 urn:3gpp:video-orientation",
    ),
    *(
        "a=ssrc:0 cname:x",
        "a=ssrc:4294967296 cname:x",
        "a=ssrc:-5 msid:a b",
        "a=ssrc:1",
        "a=ssrc-group:FID",
        "a=ssrc:x y:",
    ),
    *(
        "a=ssrc-group:FID 1 2 3 4 5 6 7",
        "a=ssrc-group:SIM -1 " + "9" * 400,
        "a=msid:",
        "a=msid: ",
        "a=msid-semantic: WMS *",
    ),
    *(
        "a=sctp-port:0",
        "a=sctp-port:65536",
        "a=sctp-port:-1",
        "a=sctp-port:",
        "a=sctp-port:5001",
        "a=sctpmap:5000 x 1024",
    ),
    *("a=max-message-size:0", "a=max-message-size:1", "a=max-message-size:-1", "a=max-message-size:" + "9" * 30),
    *(
        "a=simulcast:send 1;2;3",
        "a=rid:1 send",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40,
        "a=imageattr:* send",
    ),
    *("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video 0 UDP/TLS/RTP/SAVPF 96", "m=video 9 RTP/AVP 96", "m=video -1 UDP 96"),
    *(
        "m=audio 9 UDP/TLS/RTP/SAVPF 0",
        "m=application 9 DTLS/SCTP 5000",
        "m=application 9 DTLS/SCTP 99999",
        "m=text 9 T 1",
    ),
    *(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "m=video 9 UDP/TLS/RTP/SAVPF " + "96 " * 3000,
        "m=",
        "m=video",
    ),
)
"""Attributes with values that nobody needs, as lines to put in or to put in the place of one of their kind."""

ADDRESSES = (
    *("192.0.2.7", "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.251", "1.2.3.4.5", "01.2.3.4", "１.2.3.4", ""),
    *("::1", "::", "ff02::fb", "fe80::1%eth0", "fe80::1%nowhere.example", "::ffff:192.0.2.1", "2001:db8::7%1", ":::"),
    *("somebody.example", "7c1a52c8-4f0e-4f0b-9d61-0a0f8c0d3b1e.local", "a" * 300 + ".local", ".local"),
)


def candidate(dice: Random) -> str:
    """A candidate that is half right."""
    port = dice.choice(("50000", *NUMBERS))
    kind = dice.choice(("host", "srflx", "relay", "prflx", "", "nobody"))
    component = dice.choice(("1", "1", "1", "2", "0", "-1", "9" * 30))
    protocol = dice.choice(("udp", "UDP", "udp", "tcp", "ssltcp", ""))
    priority = dice.choice(("1", "2113937151", *NUMBERS))
    more = dice.choice(("", " raddr 0.0.0.0 rport 0", " raddr x rport y", " tcptype active", " generation x", " rport"))
    return f"a=candidate:{dice.choice(('1', 'f' * 200, ''))} {component} {protocol} {priority} " + (
        f"{dice.choice(ADDRESSES)} {port} typ {kind}{more}"
    )


def mutate(text: str, dice: Random) -> str:
    """`text` with one to six changes."""
    lines = text.splitlines()
    for _ in range(dice.randint(1, 6)):
        dice.choice(_CHANGES)(lines, dice)
    return dice.choice(("\r\n", "\r\n", "\n")).join(lines) + "\r\n"


def _drop(lines: list[str], dice: Random) -> None:
    if len(lines) > 1:
        del lines[dice.randrange(1, len(lines))]


def _repeat(lines: list[str], dice: Random) -> None:
    line = dice.choice(lines)
    at = dice.randrange(1, len(lines) + 1)
    lines[at:at] = [line] * dice.choice((1, 1, 2, 70, 1000))


def _swap(lines: list[str], dice: Random) -> None:
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _cut(lines: list[str], dice: Random) -> None:
    at = dice.randrange(len(lines))
    lines[at] = lines[at][: dice.randint(0, len(lines[at]))]


def _number(lines: list[str], dice: Random) -> None:
    at = dice.randrange(1, len(lines)) if len(lines) > 1 else 0
    numbers = list(re.finditer(r"\d+", lines[at]))
    if numbers:
        found = dice.choice(numbers)
        lines[at] = lines[at][: found.start()] + dice.choice(NUMBERS) + lines[at][found.end() :]


def _char(lines: list[str], dice: Random) -> None:
    at = dice.randrange(len(lines))
    cut = dice.randint(0, len(lines[at]))
    lines[at] = lines[at][:cut] + dice.choice(CHARS) + lines[at][cut:]


def _insert(lines: list[str], dice: Random) -> None:
    lines.insert(dice.randint(1, len(lines)), dice.choice(LINES))


def _replace(lines: list[str], dice: Random) -> None:
    """A line of the same kind gets another value, in one section or in all."""
    new = dice.choice(LINES)
    kind = re.split(r"[:= ]", new[2:])[0]
    places = [i for i, line in enumerate(lines) if line[:2] == new[:2] and re.split(r"[:= ]", line[2:])[0] == kind]
    for at in places if dice.random() < 0.5 else places[:1]:
        lines[at] = new


def _candidates(lines: list[str], dice: Random) -> None:
    at = dice.randint(1, len(lines))
    lines[at:at] = [candidate(dice) for _ in range(dice.choice((1, 3, 64, 300)))]


def _sections(lines: list[str], dice: Random) -> None:
    """Sections dropped, doubled, or in another order; or the head alone."""
    starts = [i for i, line in enumerate(lines) if line.startswith("m=")]
    bounds = [*starts, len(lines)]
    parts = [lines[a:b] for a, b in pairwise(bounds)]
    change = dice.choice(("shuffle", "double", "drop", "none", "many"))
    if change == "shuffle":
        dice.shuffle(parts)
    elif parts and change == "double":
        parts.append(dice.choice(parts))
    elif parts and change == "drop":
        parts.remove(dice.choice(parts))
    elif change == "many":
        parts *= 4
    else:
        parts = []
    lines[bounds[0] :] = [line for part in parts for line in part]


_CHANGES: tuple[Callable[[list[str], Random], None], ...] = (
    *(_drop, _repeat, _swap, _cut, _number, _number, _char, _insert, _insert, _replace, _replace, _replace),
    *(_candidates, _sections),
)
