"""Messages of the data channel: real ones, what becomes of them, and what was never one."""

from __future__ import annotations

from random import Random

from signaling.protocol import (
    MAX_MESSAGE_BYTES,
    Bye,
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
    encode,
)

REAL = [
    encode(message)
    for message in (
        *(Mood(Label.ATTENTIVE, 0.93, Reason.FACE, 17), Pong(4), Ping(4), Bye("shutdown"), Send(640, 480, 15, 500)),
        *(Welcome(1, "u6mwIv-m", "main", "a.b.c"), Roster([RosterEntry("u6mwIv-m", "Ana", ParticipantState.LIVE)])),
    )
]

MOOD = '{"t":"mood","label":"attentive","score":0.5,"reason":"face","seq":1%s}'

EXTREMES: list[str | bytes] = [
    *("", " ", "null", "[]", "{}", '"mood"', "1", "NaN", "\ufeff{}", "\x00", "{" * 4000, "[" * 4096, '{"t":' * 800),
    *('{"t":1}', '{"t":null}', '{"t":["mood"]}', '{"t":"Mood"}', '{"t":"mood "}', '{"t":"welcome"}', '{"t":"\\ud800"}'),
    *(MOOD % (',"x":' + "[" * 4000), MOOD % (',"x":' + "[" * 1500 + "]" * 1500), MOOD % (',"x":' + '{"x":' * 700)),
    *(MOOD % f',"seq":{value}' for value in (2**63, 2**64, -1, 1.5, "1e3", "9" * 3900, '"1"', "null", "true", "NaN")),
    *(
        MOOD % f',"score":{value}'
        for value in ("NaN", "Infinity", "-Infinity", -0.1, 1.1, "1e400", "1e-400", "-0", "[]")
    ),
    *(MOOD % f',"label":{value}' for value in ('"Attentive"', '""', "0", '"\\u0000"', "[]", '"attentive\\u0000"')),
    *(
        MOOD % (',"t":"pong","id":1'),
        MOOD % ',"\\u0074":"pong"',
        "{" + '"t":"mood",' * 300 + "}",
        '{"t":"pong","id":"1"}',
    ),
    *("\ud800", '{"t":"pong","id":1}\udfff', '{"t":"pong","id":1}{"t":"pong","id":2}', "\ud83d" * 2000),
    *((MOOD % "").ljust(MAX_MESSAGE_BYTES + extra) for extra in (-1, 0, 1)),
    *("é" * (MAX_MESSAGE_BYTES // 2 + extra) for extra in (-1, 0, 1)),
    *(b"", b"\xff\xfe", (MOOD % "").encode(), b"\x00" * 70_000, "x" * 250_000),
]


def mutate(text: str, random: Random) -> str:
    """`text` with one to three characters or numbers changed."""
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(text) + 1)
        change = random.choice(("drop", "repeat", "put", "put", "cut"))
        if change == "drop":
            text = text[:at] + text[at + 1 :]
        elif change == "repeat":
            text = text[:at] + text[random.randrange(at + 1) :]
        elif change == "put":
            piece = (
                "0",
                "-",
                "9" * 30,
                "e99",
                ".",
                '"',
                "\\",
                "{",
                "[",
                ",",
                "\x00",
                "\ud800",
                "é",
                "null",
                "NaN",
                "t",
            )
            text = text[:at] + random.choice(piece) + text[at:]
        else:
            text = text[:at]
    return text
