from __future__ import annotations

import pytest

from peer.link import parse_link
from signaling.errors import ConfigInvalid


def test_a_participant_link_gives_origin_room_and_token() -> None:
    link = parse_link(" https://meet.example:8443/r/stand%20up?token=a.b-c_d ")
    assert str(link.origin) == "https://meet.example:8443"
    assert (link.room, link.token) == ("stand up", "a.b-c_d")
    assert str(link.whip("Zoë & co")) == "https://meet.example:8443/whip/stand%20up?name=Zo%C3%AB+%26+co"


def test_the_token_stays_out_of_logs() -> None:
    assert "secret" not in repr(parse_link("http://host/r/main?token=secret"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "main",
        "ftp://host/r/main?token=t",
        "http:///r/main?token=t",
        "http://host/r/main",
        "http://host/r/main?token=",
        "http://host/r/?token=t",
        "http://host/r/main/host?token=t",
        "http://host/main?token=t",
        "http://host:port/r/main?token=t",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="expected a participant link like https://"):
        parse_link(text)
