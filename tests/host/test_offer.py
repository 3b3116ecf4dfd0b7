"""Offers: what we understand of a good one, and one error for each way to be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.offer import (
    MAX_CANDIDATES,
    MAX_CREDENTIAL_CHARS,
    MAX_LINES,
    MAX_MID_CHARS,
    MAX_SECTIONS,
    parse_offer,
    require_publishing,
    require_watching,
)
from signaling.errors import EdgeAttendError, SdpCodecUnsupported, SdpInvalid, SdpNoVideo
from tests.host.offers import CHANNEL, GRID, offer, real_offer, section

MDNS = "1 1 udp 2113937151 0b5e21c9-5ae0-4a39-a0f1-6b29ea1a3e5f.local 51000 typ host"
PLAIN = "2 1 udp 2113937151 192.0.2.7 51001 typ host"


async def test_a_participants_offer_sends_one_video_and_receives_the_grid() -> None:
    parsed = parse_offer(await real_offer("sendonly", "recvonly", channel=True))
    require_publishing(parsed)
    assert (parsed.publishes, parsed.watches) == (0, 1)
    assert [part.kind for part in parsed.sections] == ["video", "video", "application"]
    assert {"VP8", "H264"} <= set(parsed.sections[0].codecs)
    assert "rtx" not in parsed.sections[0].codecs


async def test_a_viewers_offer_receives_alone() -> None:
    parsed = parse_offer(await real_offer("recvonly"))
    require_watching(parsed)
    assert (parsed.publishes, parsed.watches) == (None, 0)
    with pytest.raises(SdpNoVideo, match="got sections: video"):
        require_publishing(parsed)


async def test_a_publishers_offer_cannot_watch() -> None:
    parsed = parse_offer(await real_offer("sendonly"))
    require_publishing(parsed)
    with pytest.raises(SdpNoVideo, match=r"receives \(a=recvonly\), got sections: video"):
        require_watching(parsed)


async def test_one_section_may_do_both() -> None:
    parsed = parse_offer(await real_offer("sendrecv"))
    assert (parsed.publishes, parsed.watches) == (0, 0)


async def test_a_section_for_receiving_alone_is_preferred_for_the_grid() -> None:
    parsed = parse_offer(await real_offer("sendrecv", "recvonly"))
    assert (parsed.publishes, parsed.watches) == (0, 1)


@pytest.mark.parametrize("text", ["", "hello", "\ufeffv=0", '{"sdp": "v=0"}', "m=video 9", " v=0", "\x00" * 50])
def test_what_is_no_sdp_is_refused_with_how_it_begins(text: str) -> None:
    with pytest.raises(SdpInvalid, match="that begins with 'v=0', got"):
        parse_offer(text)


@pytest.mark.parametrize("text", ["v=0", "v=0\r\n", offer(), offer().replace("t=0 0", "t=x")])
def test_an_offer_without_media_is_refused(text: str) -> None:
    with pytest.raises(SdpInvalid):
        parse_offer(text)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("m=video 9 UDP", "m=video nine UDP"),
        ("m=video 9 UDP/TLS/RTP/SAVPF 97", "m=video"),
        ("a=rtpmap:97 VP8/90000", "a=rtpmap:x VP8/90000"),
        ("a=rtpmap:97 VP8/90000", "a=rtpmap:97"),
        ("a=rtpmap:97 VP8/90000", "a=rtpmap:97 VP8/fast"),
        ("a=fingerprint:sha-256 AB", "a=fingerprint:sha-256"),
        ("a=group:BUNDLE 0", "a=candidate:1 2"),
        ("a=setup:actpass", "a=ssrc:x cname:y"),
    ],
)
def test_what_is_wrong_with_a_broken_line_goes_to_the_log_alone(good: str, bad: str) -> None:
    text = offer(section())
    assert good in text
    try:
        parse_offer(text.replace(good, bad))
    except SdpInvalid as error:
        assert "Error" not in error.message
        assert "Traceback" not in error.message


@given(st.data())
def test_a_garbled_offer_is_an_offer_or_one_of_our_errors(data: st.DataObject) -> None:
    lines = offer(section(), GRID, CHANNEL).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(1, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "repeat", "cut", "text"]))
        if change == "drop" and len(lines) > 2:
            del lines[at]
        elif change == "repeat":
            lines.insert(at, lines[data.draw(st.integers(1, len(lines) - 1))])
        elif change == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        else:
            lines[at] = data.draw(st.text(max_size=20))
    try:
        parsed = parse_offer("\r\n".join(lines))
        require_publishing(parsed)
        require_watching(parsed)
    except EdgeAttendError as error:
        assert error.status in (400, 422)


def test_every_section_has_to_be_in_the_bundle() -> None:
    parts = section(), GRID, CHANNEL
    parse_offer(offer(*parts))
    for bundle in ("", "0 1", "0"):
        with pytest.raises(SdpInvalid, match="one BUNDLE group"):
            parse_offer(offer(*parts, bundle=bundle))


def test_a_single_section_needs_no_bundle() -> None:
    require_publishing(parse_offer(offer(section(), bundle="")))


@pytest.mark.parametrize(
    ("without", "message"),
    [("ice-ufrag", "ice-ufrag and ice-pwd"), ("ice-pwd", "ice-ufrag and ice-pwd"), ("fingerprint", "DTLS fingerprint")],
)
def test_an_offer_that_lacks_what_a_connection_needs_says_what(without: str, message: str) -> None:
    with pytest.raises(SdpInvalid, match=message):
        parse_offer(offer(section(without=(without,))))


def test_there_is_a_limit_to_the_number_of_sections() -> None:
    parts = [section(direction="inactive", mid=str(number)) for number in range(MAX_SECTIONS + 1)]
    assert len(parse_offer(offer(*parts[:-1])).sections) == MAX_SECTIONS
    with pytest.raises(SdpInvalid, match=f"1 to {MAX_SECTIONS} media sections, got {MAX_SECTIONS + 1}"):
        parse_offer(offer(*parts))


def test_a_kind_of_media_that_webrtc_has_not_is_refused() -> None:
    with pytest.raises(SdpInvalid, match="got 'text'"):
        parse_offer(offer(section("text")))


@pytest.mark.parametrize("parts", [(CHANNEL,), (section("audio", codecs=("opus",)),)])
def test_an_offer_without_video_can_neither_publish_nor_watch(parts: tuple[str, ...]) -> None:
    parsed = parse_offer(offer(*parts))
    for require in (require_publishing, require_watching):
        with pytest.raises(SdpNoVideo):
            require(parsed)


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_a_video_section_that_does_not_send_publishes_nothing(direction: str) -> None:
    with pytest.raises(SdpNoVideo, match="a=sendonly or a=sendrecv"):
        require_publishing(parse_offer(offer(section(direction=direction))))


def test_a_rejected_section_publishes_nothing() -> None:
    with pytest.raises(SdpNoVideo):
        require_publishing(parse_offer(offer(section(port=0))))


def test_a_section_without_a_direction_sends_and_receives() -> None:
    parsed = parse_offer(offer(section(without=("sendonly",))))
    assert (parsed.publishes, parsed.watches) == (0, 0)


@pytest.mark.parametrize("codecs", [("AV1",), ("VP9", "AV1"), ("H265",), ("rtx",)])
def test_a_codec_that_we_do_not_decode_is_named(codecs: tuple[str, ...]) -> None:
    with pytest.raises(SdpCodecUnsupported) as caught:
        require_publishing(parse_offer(offer(section(codecs=codecs))))
    named = ", ".join(codec for codec in codecs if codec != "rtx") or "none"
    assert caught.value.message == f"expected the video codec VP8 or H264, got {named}"


@pytest.mark.parametrize("codecs", [("VP8",), ("H264",), ("AV1", "VP9", "vp8"), ("h264",)])
def test_one_codec_that_we_decode_is_enough(codecs: tuple[str, ...]) -> None:
    require_publishing(parse_offer(offer(section(codecs=codecs))))


def test_the_grid_is_vp8_alone() -> None:
    with pytest.raises(SdpCodecUnsupported, match="codec VP8, got H264"):
        require_watching(parse_offer(offer(section(direction="recvonly", codecs=("H264",)))))
    grid = section(direction="recvonly", mid="1", codecs=("H264", "AV1"))
    with pytest.raises(SdpCodecUnsupported, match="codec VP8, got H264, AV1"):
        require_publishing(parse_offer(offer(section(), grid)))


def test_hidden_addresses_are_left_out_and_plain_ones_kept() -> None:
    parsed = parse_offer(offer(section(candidates=(MDNS, PLAIN))))
    assert ".local" not in parsed.sdp
    assert "192.0.2.7 51001" in parsed.sdp
    require_publishing(parsed)


def test_lines_may_end_in_newlines_alone() -> None:
    text = offer(section(), GRID, CHANNEL)
    assert parse_offer(text.replace("\r\n", "\n")) == parse_offer(text)


def test_candidates_are_taken_by_address_alone_and_in_bounds() -> None:
    tabbed = MDNS.replace(".local ", ".local\t")
    named = "1 1 udp 2113937151 somebody.example 51000 typ host"
    plain = "1 1 udp 2113937151 192.0.2.7 51000 typ host"
    parsed = parse_offer(offer(section(candidates=(tabbed, named, plain))))
    assert [line for line in parsed.sdp.splitlines() if "candidate" in line] == [f"a=candidate:{plain}"]
    with pytest.raises(SdpInvalid, match=f"at most {MAX_CANDIDATES} ICE candidates, got {MAX_CANDIDATES + 1}"):
        parse_offer(offer(section(candidates=(plain,) * (MAX_CANDIDATES + 1))))


def test_h264_both_ways_is_only_received() -> None:
    parsed = parse_offer(offer(section(direction="sendrecv", codecs=("H264",))))
    require_publishing(parsed)
    assert (parsed.publishes, parsed.watches) == (0, None)


@pytest.mark.parametrize(
    "candidate",
    [
        "1 1 udp 16777215 192.0.2.9 50000 typ relay raddr 0.0.0.0 rport 0",
        "3 1 udp 8331263 192.0.2.9 50000 typ relay raddr 10.0.0.2 rport 9 generation 0 network-id 1 network-cost 10",
        "1 1 udp 16777215 2001:db8::9 50000 typ relay raddr :: rport 0",
    ],
)
async def test_a_participant_may_come_over_a_relay(candidate: str) -> None:
    parsed = parse_offer(offer(section(candidates=(candidate,))))
    assert f"a=candidate:{candidate}" in parsed.sdp.splitlines()


@pytest.mark.parametrize("kind", MAX_LINES)
def test_lines_that_are_compared_with_each_other_are_limited(kind: str) -> None:
    lines = {"a=rtpmap:": "9 a/1", "a=fmtp:": "97 a", "a=rtcp-fb:": "96 x", "a=rtcp-fb:*": " x", "a=ssrc:": "1 a:"}
    line = lines[kind]
    text = offer(section())
    most = MAX_LINES[kind] - sum(other.startswith(kind) for other in text.splitlines())
    if kind != "a=rtpmap:":  # whose payload types differ
        parse_offer(text + f"{kind}{line}\r\n" * most)
    with pytest.raises(SdpInvalid, match=f"at most {MAX_LINES[kind]} lines"):
        parse_offer(text + f"{kind}{line}\r\n" * (most + 1))


@pytest.mark.parametrize("number", ["97", "097", "128", "-1", "1000", "x", ""])
def test_a_payload_type_names_one_codec_of_its_section(number: str) -> None:
    with pytest.raises(SdpInvalid, match="payload type"):
        parse_offer(offer(section()) + f"a=rtpmap:{number} VP8/90000\r\n")
    parse_offer(offer(section(), GRID) + "a=rtpmap:127 VP9/90000\r\n")


@pytest.mark.parametrize("name", ["a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901"])
def test_credentials_that_would_make_every_check_large_are_refused(name: str) -> None:
    text = offer(section())
    parse_offer(text.replace(name, name.split(":", maxsplit=1)[0] + ":" + "x" * MAX_CREDENTIAL_CHARS))
    for value in ("x" * (MAX_CREDENTIAL_CHARS + 1), "ü", "a\x00b"):
        with pytest.raises(SdpInvalid, match="printable characters"):
            parse_offer(text.replace(name, name.split(":", maxsplit=1)[0] + ":" + value))


@pytest.mark.parametrize("mid", ["a=mid", "a=mid:" + "m" * (MAX_MID_CHARS + 1), "a=mid:ü", "a=mid:\x01"])
def test_mids_that_no_packet_can_carry_are_refused(mid: str) -> None:
    with pytest.raises(SdpInvalid, match="expected mids"):
        parse_offer(offer(section()).replace("a=mid:0", mid))


def test_every_section_has_a_mid_of_its_own() -> None:
    with pytest.raises(SdpInvalid, match="another mid"):
        parse_offer(offer(section(), section(direction="recvonly"), bundle="0"))


@pytest.mark.parametrize("bundle", ["3 4 5", "0 1 9", "0 0 0"])
def test_a_group_of_other_sections_is_none(bundle: str) -> None:
    with pytest.raises(SdpInvalid, match="one BUNDLE group"):
        parse_offer(offer(section(), GRID, CHANNEL, bundle=bundle))


@pytest.mark.parametrize("bundle", ["2 1 0", "1 0 2", "9 0 1 2"])
def test_the_group_is_passed_on_in_an_order_that_aiortc_takes(bundle: str) -> None:
    assert "a=group:BUNDLE 0 1 2\r\n" in parse_offer(offer(section(), GRID, CHANNEL, bundle=bundle)).sdp


@pytest.mark.parametrize("port", ["", "a=sctp-port:0", "a=sctp-port:65536", "a=sctp-port:-1"])
def test_a_data_channel_needs_a_port(port: str) -> None:
    with pytest.raises(SdpInvalid, match="sctp-port from 1 to 65535"):
        parse_offer(offer(section(), GRID, CHANNEL).replace("a=sctp-port:5000", port))


@pytest.mark.parametrize(("port", "good"), [("5000", True), ("0", False), ("70000", False), ("x", False)])
def test_a_data_channel_may_be_offered_as_drafts_had_it(port: str, good: bool) -> None:
    legacy = CHANNEL.replace("UDP/DTLS/SCTP webrtc-datachannel", f"DTLS/SCTP {port}").replace(
        "a=sctp-port:5000\r\n", ""
    )
    if good:
        parse_offer(offer(section(), GRID, legacy))
    else:
        with pytest.raises(SdpInvalid, match="sctp-port"):
            parse_offer(offer(section(), GRID, legacy))


def test_header_extensions_that_no_packet_can_carry_are_left_out() -> None:
    lines = [f"a=extmap:{number} urn:x" for number in ("0", "256", "4096", "-1", "x", "", "1", "255", "2/recvonly")]
    parsed = parse_offer(offer(section()) + "\r\n".join(lines) + "\r\n")
    assert [line for line in parsed.sdp.splitlines() if line.startswith("a=extmap:")] == lines[-3:]


@pytest.mark.parametrize(
    "address",
    [
        *("192.0.2.7 0", "192.0.2.7 65536", "192.0.2.7 -1", "224.0.0.251 5353", "255.255.255.255 9", "0.0.0.0 9"),
        *("ff02::fb 5353", ":: 9", "fe80::1%eth0 9", "fe80::1%nowhere.example 9"),
    ],
)
def test_candidates_that_are_no_single_machine_are_ignored(address: str) -> None:
    parsed = parse_offer(offer(section(candidates=(f"1 1 udp 1 {address} typ host",))))
    assert "a=candidate" not in parsed.sdp


def test_candidates_over_tcp_are_ignored() -> None:
    parsed = parse_offer(offer(section(candidates=("1 1 TCP 1 192.0.2.7 9 typ host tcptype active", PLAIN))))
    assert [line for line in parsed.sdp.splitlines() if "candidate" in line] == [f"a=candidate:{PLAIN}"]


def test_a_section_that_is_bundle_only_is_offered_though_its_port_is_zero() -> None:
    grid = section(direction="recvonly", mid="1", port=0) + "a=bundle-only\r\n"
    assert parse_offer(offer(section(), grid)).watches == 1
