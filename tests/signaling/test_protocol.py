"""The messages of the data channel, and names."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import MessageInvalid, NameInvalid
from signaling.protocol import (
    MAX_MESSAGE_BYTES,
    MAX_NAME_CHARS,
    Bye,
    ByeReason,
    FromHost,
    FromParticipant,
    Label,
    Mood,
    ParticipantState,
    Ping,
    Pong,
    Reason,
    Roster,
    RosterEntry,
    Send,
    Welcome,
    clean_name,
    decode_from_host,
    decode_from_participant,
    encode,
)

PROTOCOL_DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
GOOD_MOOD = {"t": "mood", "label": "attentive", "score": 0.91, "reason": "face", "seq": 7}

MOODS = st.builds(
    Mood,
    label=st.sampled_from(Label),
    score=st.floats(0, 1),
    reason=st.sampled_from(Reason),
    seq=st.integers(0, 2**53),
)


@given(MOODS | st.builds(Pong, id=st.integers(0, 2**53)))
def test_every_message_of_a_participant_comes_back_as_it_was(message: FromParticipant) -> None:
    assert decode_from_participant(encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Welcome(1, "p1", "main", "a.b.c"),
        Send(320, 240, 15, 300),
        Roster([RosterEntry("p1", "Ana <b>", ParticipantState.LIVE), RosterEntry("p2", "王", ParticipantState.STALE)]),
        Roster([]),
        Ping(3),
        *(Bye(reason) for reason in ByeReason),
        Bye("a later version's word"),
    ],
)
def test_every_message_of_a_host_comes_back_as_it_was(message: FromHost) -> None:
    assert decode_from_host(encode(message)) == message


def test_a_mood_on_the_wire_is_what_the_protocol_document_says() -> None:
    assert json.loads(encode(Mood(Label.ATTENTIVE, 0.91, Reason.FACE, 7))) == GOOD_MOOD


def test_a_client_that_knows_the_first_reasons_only_is_understood() -> None:
    for reason in ("face", "no_face", "paused", "no_model"):
        message = decode_from_participant(json.dumps(GOOD_MOOD | {"reason": reason}))
        assert isinstance(message, Mood)
        assert message.reason == reason


def test_every_reason_is_in_the_protocol_document() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (?:any|`[a-z_]+`) \|", PROTOCOL_DOCUMENT.read_text(), re.MULTILINE)
    assert rows
    assert set(rows) == set(Reason)


def test_a_field_of_a_later_version_is_ignored() -> None:
    message = decode_from_participant(json.dumps(GOOD_MOOD | {"battery": 0.4}))
    assert message == Mood(Label.ATTENTIVE, 0.91, Reason.FACE, 7)


@pytest.mark.parametrize(
    "change",
    [
        {"label": "asleep"},
        {"label": None},
        {"label": 1},
        {"score": 1.0001},
        {"score": -0.0001},
        {"score": "0.5"},
        {"score": None},
        {"score": True},
        {"reason": "bored"},
        {"seq": -1},
        {"seq": 1.5},
        {"seq": "1"},
        {"t": "ping"},
        {"t": "welcome"},
        {"t": None},
    ],
)
def test_a_mood_with_a_wrong_field_is_invalid(change: dict[str, object]) -> None:
    with pytest.raises(MessageInvalid):
        decode_from_participant(json.dumps(GOOD_MOOD | change))


@pytest.mark.parametrize("field", sorted(GOOD_MOOD))
def test_a_mood_that_lacks_a_field_is_invalid(field: str) -> None:
    with pytest.raises(MessageInvalid):
        decode_from_participant(json.dumps({key: value for key, value in GOOD_MOOD.items() if key != field}))


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-400000"])
def test_a_score_that_is_no_number_between_0_and_1_is_invalid_or_zero(score: str) -> None:
    text = encode(Mood(Label.ATTENTIVE, 0.5, Reason.FACE, 1)).replace("0.5", score)
    try:
        message = decode_from_participant(text)
    except MessageInvalid:
        return
    assert isinstance(message, Mood)
    assert message.score == 0.0  # 1e-400000 is a legal way to write almost nothing


@pytest.mark.parametrize("text", ["", " ", "null", "[]", "{}", '"mood"', "{", "[" * 4000, "\ud800", '{"t":"mood"}x'])
def test_text_that_is_no_message_is_invalid(text: str) -> None:
    with pytest.raises(MessageInvalid):
        decode_from_participant(text)


@pytest.mark.parametrize("nested", ["[" * 2000 + "]" * 1900, "[" * 1900, '{"x":' * 700 + "1" + "}" * 700])
def test_what_is_nested_too_deep_is_invalid(nested: str) -> None:
    text = '{"t":"mood","label":"attentive","score":0.5,"reason":"face","seq":1,"x":' + nested + "}"
    for decode in (decode_from_participant, decode_from_host):
        with pytest.raises(MessageInvalid):
            decode(text)


@pytest.mark.parametrize("token", ["a b", "a\r\nX: y", "a\n", "ü", "\x00"])
def test_a_token_that_no_header_can_carry_is_invalid(token: str) -> None:
    text = json.dumps({"t": "welcome", "v": 1, "participant": "p1", "room": "main", "resume": token})
    with pytest.raises(MessageInvalid, match="resume"):
        decode_from_host(text)


def test_binary_is_invalid_even_when_it_holds_a_message() -> None:
    with pytest.raises(MessageInvalid, match="got 12 bytes of binary"):
        decode_from_participant(b'{"t":"pong"}')


def test_a_message_may_be_as_long_as_the_limit_and_not_a_byte_longer() -> None:
    padded = encode(Pong(1)).ljust(MAX_MESSAGE_BYTES)
    assert decode_from_participant(padded) == Pong(1)
    with pytest.raises(MessageInvalid, match="at most 4096 bytes, got 4097"):
        decode_from_participant(padded + " ")


def test_the_limit_counts_bytes_not_characters() -> None:
    with pytest.raises(MessageInvalid, match="at most 4096 bytes, got"):
        decode_from_participant(json.dumps({"t": "pong", "id": 1, "x": "王" * 1400}, ensure_ascii=False))


def test_a_host_does_not_take_its_own_messages_back() -> None:
    with pytest.raises(MessageInvalid):
        decode_from_participant(encode(Ping(1)))


@given(st.text() | st.binary() | st.text(st.characters(categories=["Cs"]), min_size=1))
def test_arbitrary_data_is_a_message_or_invalid_and_nothing_else(data: str | bytes) -> None:
    for decode in (decode_from_participant, decode_from_host):
        try:
            decode(data)
        except MessageInvalid as error:
            assert error.message


@given(
    st.dictionaries(
        st.sampled_from([*GOOD_MOOD, "id", "width", "participants", "x"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.sampled_from(["mood", "pong", "attentive", "face"]),
    )
)
def test_arbitrary_json_is_a_message_within_its_limits_or_invalid(fields: dict[str, object]) -> None:
    try:
        message = decode_from_participant(json.dumps(fields))
    except MessageInvalid:
        return
    assert isinstance(message, Mood | Pong)
    if isinstance(message, Mood):
        assert 0.0 <= message.score <= 1.0
        assert message.seq >= 0


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Ana", "Ana"),
        ("  Ana   Lima ", "Ana Lima"),
        ("Ana\nLima\t3", "Ana Lima 3"),
        ("e\u0301", "é"),
        ("محمد", "محمد"),
        ("שלום", "שלום"),
        ("王小明", "王小明"),
        ("🎉", "🎉"),
        ("👩‍💻", "👩‍💻"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("a" * MAX_NAME_CHARS, "a" * MAX_NAME_CHARS),
    ],
)
def test_a_name_of_any_script_is_kept_in_one_tidy_line(raw: str, shown: str) -> None:
    assert clean_name(raw) == shown


@pytest.mark.parametrize("raw", ["", " ", "\n\t ", "\u2028", "a" * 65, "a" * 500, "🎉" * 65])
def test_a_name_has_1_to_64_characters(raw: str) -> None:
    with pytest.raises(NameInvalid, match="expected a name of 1 to 64 characters"):
        clean_name(raw)


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\ud800", *"\u202a\u202b\u202c\u202d\u202e"])
def test_a_control_character_in_a_name_is_refused_by_its_code(char: str) -> None:
    with pytest.raises(NameInvalid, match=f"without control characters, got U\\+{ord(char):04X}"):
        clean_name(f"Ana{char}Lima")


@pytest.mark.parametrize("char", "\u2066\u2067\u2068\u2069")
def test_a_direction_isolate_in_a_name_is_refused(char: str) -> None:
    with pytest.raises(NameInvalid, match="control characters"):
        clean_name(f"{char}Ana")


@pytest.mark.parametrize(
    "raw",
    [
        "\u200d",
        "\u200b\u200c",
        "\ufeff",
        "\u00ad",
        "\u0301",
        "\u20dd",
        "\u3164",
        "\u115f\u1160",
        "\uffa0",
        "\u2800",
        "\u3164 \u200d\u3164",
        "\ufe0f",
        "\U000e0041",
    ],
)
def test_a_name_that_nobody_can_see_is_refused(raw: str) -> None:
    with pytest.raises(NameInvalid, match="at least one visible character"):
        clean_name(raw)


@given(st.text(max_size=80))
def test_a_clean_name_stays_as_it_is(raw: str) -> None:
    try:
        name = clean_name(raw)
    except NameInvalid:
        return
    assert clean_name(name) == name
    assert 1 <= len(name) <= MAX_NAME_CHARS
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name)
