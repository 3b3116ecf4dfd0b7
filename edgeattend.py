"""The command `edgeattend`: each subcommand reads its options and hands over to one package."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import threading
import webbrowser
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from host.mode import Mode
from host.renderer import GridConfig
from peer.perception.reader import ReaderKind
from signaling.certificate import self_signed
from signaling.errors import ConfigInvalid, EdgeAttendError
from signaling.ice import IceConfig, load_turn_secret
from signaling.limits import RequestLimits
from signaling.logs import LogFormat, configure_logging
from signaling.narration import describe
from signaling.output import Output
from signaling.process import LINK_VARIABLE
from signaling.removals import removals_file
from signaling.server import Links, OwnTile, RunningServer, ServeConfig
from signaling.server import serve as run_server
from signaling.signals import stop_on_signals
from signaling.tokens import Role, TokenAuthority, load_secret, parse_ttl
from training.cli import app as training_app

app = typer.Typer(
    help="Meetings in which every participant's own device works out whether they are attentive.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(training_app, name="train")

STATE_DIR = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "edgeattend"
CONFIG_DIR = Path(os.environ.get("XDG_CONFIG_HOME", os.environ.get("APPDATA", Path.home() / ".config"))) / "edgeattend"
ROOT = Path(__file__).parent
MAX_LINK_BYTES = 8192
"""Longer than any link of ours, and than most servers take."""
CLIPS = ROOT / "peer" / "clips"
MODEL = ROOT / "peer" / "models" / "attention.onnx"

Bind = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every address.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line on standard output.")]
Seconds = Annotated[float | None, typer.Option(min=0.1, help="Stop after this many seconds.")]
SecretText = Annotated[
    str | None,
    typer.Option(
        "--secret", envvar="EDGEATTEND_SECRET", help="Signs the tokens. Others on this machine see command lines."
    ),
]
SecretFile = Annotated[Path, typer.Option(help="Where the secret is kept; made at the first start.")]
Tls = Annotated[bool, typer.Option("--tls", help="HTTPS with a certificate of our own making.")]
TlsCert = Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")]
TlsKey = Annotated[Path | None, typer.Option(help="Private key of --tls-cert, PEM.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Listen beyond this machine without TLS, too.")]
Stun = Annotated[str | None, typer.Option(help="STUN server, for a host behind NAT: stun:HOST:3478.")]
Turn = Annotated[
    list[str] | None,
    typer.Option(
        envvar="EDGEATTEND_TURN",
        help="TURN server, for who cannot reach the host: turn:HOST:3478?transport=udp. May be given again; several in"
        " the environment with spaces between them.",
    ),
]
TurnSecretFile = Annotated[
    Path | None, typer.Option(help="The secret shared with the TURN server; or in EDGEATTEND_TURN_SECRET.")
]
Aggregate = Annotated[
    bool, typer.Option("--aggregate", help="Show you only the room's share, never anybody's own label.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]
LogAs = Annotated[LogFormat, typer.Option("--log-format", help="Log lines for people, or one JSON object per line.")]


def grid_config(size: str, fps: int) -> GridConfig:
    """`size` as WIDTHxHEIGHT. Raises `ConfigInvalid`."""
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", size)
    if match is None:
        raise ConfigInvalid(f"expected --grid WIDTHxHEIGHT, such as 1280x720, got {size!r}")
    return GridConfig(width=int(match[1]), height=int(match[2]), fps=fps)


def ice_config(stun: str | None, turn: list[str] | None, secret_file: Path | None) -> IceConfig:
    """The secret comes from its file or the environment, since everybody on a machine sees command lines."""
    secret = os.environ.get("EDGEATTEND_TURN_SECRET", "") if turn else ""
    if secret_file is not None:
        secret = load_turn_secret(secret_file)
    config = IceConfig(stun=stun, turn=tuple(turn or ()), turn_secret=secret)
    config.check()
    return config


def given_link(text: str) -> str:
    """The link itself, or for `-` the first line of standard input."""
    if text != "-":
        return text
    if sys.stdin is None:
        raise ConfigInvalid("expected a participant link on standard input, got none")
    return sys.stdin.buffer.readline(MAX_LINK_BYTES).decode(errors="replace")


def check_tls(tls: bool, cert: Path | None, key: Path | None) -> None:
    """Raises `ConfigInvalid` for two certificates."""
    if tls and (cert or key):
        raise ConfigInvalid("expected --tls, or --tls-cert and --tls-key, got both")


def mode_of(aggregate: bool) -> Mode:
    """What the host gets to see."""
    return Mode.AGGREGATE if aggregate else Mode.INDIVIDUAL


@app.command()
def serve(
    bind: Bind = "127.0.0.1",
    port: Port = 8080,
    room: Annotated[list[str] | None, typer.Option(help="A room to open; may be given again.")] = None,
    tls: Tls = False,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    insecure: Insecure = False,
    trust_proxy: Annotated[
        str | None, typer.Option(help="Address of a reverse proxy: limits count whom its X-Forwarded-For names.")
    ] = None,
    stun: Stun = None,
    turn: Turn = None,
    turn_secret_file: TurnSecretFile = None,
    grid: Annotated[str, typer.Option(help="Size of the shared picture.")] = "1280x720",
    fps: Annotated[int, typer.Option(min=1, max=30, help="Frames per second of the shared picture.")] = 15,
    ttl: Annotated[str, typer.Option(help="How long the links are valid: 30m, 8h, 7d.")] = "8h",
    camera: Annotated[str | None, typer.Option(help="Take part yourself, with this source: camera:0.")] = None,
    camera_name: Annotated[str, typer.Option(help="Your name, with --camera.")] = "Host",
    aggregate: Aggregate = False,
    secret: SecretText = None,
    secret_file: SecretFile = STATE_DIR / "secret",
    as_json: AsJson = False,
    log_format: LogAs = LogFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Run the server and the host: prints the links to hand out."""
    configure_logging(log_format, verbose=verbose)
    check_tls(tls, tls_cert, tls_key)
    strict_transport = tls_cert is not None  # not for one of our own: whoever trusts it would lose http://localhost
    if tls:
        tls_cert, tls_key = self_signed(STATE_DIR, bind)
    config = ServeConfig(
        secret=secret or load_secret(secret_file),
        bind=bind,
        port=port,
        rooms=tuple(room or ["main"]),
        grid=grid_config(grid, fps),
        tls_cert=tls_cert,
        tls_key=tls_key,
        insecure=insecure,
        strict_transport=strict_transport,
        limits=RequestLimits(proxy=trust_proxy),
        ttl_s=parse_ttl(ttl),
        mode=mode_of(aggregate),
        ice=ice_config(stun, turn, turn_secret_file),
        removals_file=removals_file(secret_file),
    )

    output = Output(sys.stdout)

    def on_ready(server: RunningServer) -> None:
        announce(output, server.links, as_json=as_json, own=tls_cert if tls else None)

    def on_event(room_name: str, event: dict[str, Any]) -> None:
        if as_json:
            write_json(output, event | {"room": room_name})
        elif event["event"] in ("joined", "left"):
            output.write(describe(event) + "\n")

    async def run() -> int:
        own = None if camera is None else OwnTile(camera, camera_name)
        await run_server(config, on_ready, on_event, stop_on_signals(), own)
        return 0

    finish(run(), output)


@app.command()
def join(
    url: Annotated[
        str,
        typer.Argument(
            envvar=LINK_VARIABLE,
            help="The participant link; - reads it from standard input. Others on this machine see command lines.",
        ),
    ],
    name: Annotated[str, typer.Option(help="How others see you.")],
    source: Annotated[str, typer.Option(help="camera:N, a video file, or test.")] = "camera:0",
    labels: Annotated[bool, typer.Option("--labels/--no-labels", help="Whether to share your label.")] = True,
    window: Annotated[bool, typer.Option("--window", help="Show your camera and the shared grid.")] = False,
    model: Annotated[Path, typer.Option(help="Another attention model, ONNX.")] = MODEL,
    reading: Annotated[
        ReaderKind, typer.Option(help="How looks become a label: steady, or the plain mean of a window of five.")
    ] = ReaderKind.STEADY,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Look at the screen for ten seconds, to be read as you are.")
    ] = False,
    forget_calibration: Annotated[
        bool, typer.Option("--forget-calibration", help="Forget what earlier calibrations of your name found.")
    ] = False,
    seconds: Seconds = None,
    as_json: AsJson = False,
    log_format: LogAs = LogFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Take part in a meeting with this device."""
    from peer.join import JoinConfig, run

    configure_logging(log_format, verbose=verbose)
    config = JoinConfig(
        url=given_link(url),
        name=name,
        source=source,
        labels=labels,
        window=window,
        seconds=seconds,
        json=as_json,
        model=model,
        reader=reading,
        calibrate=calibrate,
        forget_calibration=forget_calibration,
        calibrations=CONFIG_DIR,
    )
    raise typer.Exit(run(config))


@app.command()
def demo(
    participants: Annotated[int, typer.Option(min=1, max=16, help="How many people take part.")] = 4,
    seconds: Seconds = None,
    bind: Bind = "127.0.0.1",
    port: Port = 8080,
    insecure: Insecure = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the dashboard.")] = True,
    aggregate: Aggregate = False,
    as_json: AsJson = False,
    log_format: LogAs = LogFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """See a whole meeting on this machine: server, host, and people made by computer."""
    from signaling.demo import DemoConfig, run_demo

    configure_logging(log_format, verbose=verbose)
    secret = TokenAuthority.new_secret()
    config = DemoConfig(
        serve=ServeConfig(secret=secret, bind=bind, port=port, insecure=insecure, mode=mode_of(aggregate)),
        clips=sorted(CLIPS.glob("*.mp4")),
        participants=participants,
        seconds=seconds,
    )

    output = Output(sys.stdout)

    def on_ready(links: Links) -> None:
        announce(output, (links,), as_json=as_json)
        if browser:  # in a thread: it may wait for the browser to start, or a text browser to end
            threading.Thread(target=webbrowser.open, args=(links.host_url,), name="browser", daemon=True).start()

    def on_event(event: dict[str, Any]) -> None:
        if as_json:
            write_json(output, event)
        else:
            output.write(describe(event) + "\n")

    async def run() -> int:
        summary = await run_demo(config, on_ready, on_event, stop_on_signals())
        on_event(summary)
        return 0 if summary["ok"] or seconds is None else 1

    finish(run(), output)


@app.command()
def token(
    room: Annotated[str, typer.Option(help="The room it opens.")],
    role: Annotated[Role, typer.Option(help="What its holder may do.")],
    name: Annotated[str | None, typer.Option(help="The name its holder appears with.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 30m, 8h, 7d.")] = "8h",
    secret: SecretText = None,
    secret_file: SecretFile = STATE_DIR / "secret",
) -> None:
    """Print a token for the Authorization header or a link's ?token=."""
    from signaling.directory import check_room_name

    check_room_name(room)
    authority = TokenAuthority(secret or load_secret(secret_file))
    typer.echo(authority.issue(role, room, ttl_s=parse_ttl(ttl), name=name))


@app.command()
def doctor(
    bind: Bind = "127.0.0.1",
    port: Port = 8080,
    camera: Annotated[int, typer.Option(min=0, help="Which camera to try.")] = 0,
    model: Annotated[Path, typer.Option(help="The attention model.")] = MODEL,
    tls: Tls = False,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    insecure: Insecure = False,
    stun: Stun = None,
    turn: Turn = None,
    turn_secret_file: TurnSecretFile = None,
    secret: SecretText = None,
    secret_file: SecretFile = STATE_DIR / "secret",
    as_json: AsJson = False,
) -> None:
    """Say what works on this machine, and what to do about what does not."""
    import host.doctor
    import peer.doctor
    import signaling.doctor
    import signaling.icecheck
    import signaling.machinecheck

    check_tls(tls, tls_cert, tls_key)
    own = STATE_DIR if tls else None
    checks = [
        *signaling.doctor.checks(
            secret_file, bind, port, tls_cert, tls_key, secret=secret, own_tls=own, insecure=insecure
        ),
        *signaling.machinecheck.checks(),
        *signaling.icecheck.checks(ice_config(stun, turn, turn_secret_file)),
        *host.doctor.checks(),
        *peer.doctor.checks(camera, model),
    ]
    marks = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}
    for check in checks:
        if as_json:
            found = {"check": check.name, "verdict": check.verdict, "found": check.found, "advice": check.advice}
            typer.echo(json.dumps(found))
        else:
            typer.echo(f"{marks[check.verdict]}  {check.name}: {check.found}")
            if check.advice and check.verdict != "ok":
                typer.echo(f"         -> {check.advice}")
    raise typer.Exit(1 if any(check.verdict == "failed" for check in checks) else 0)


def announce(output: Output, rooms: tuple[Links, ...], *, as_json: bool, own: Path | None = None) -> None:
    """The links of every room, for people or programs; `own`: the certificate that browsers will warn people of."""
    for links in rooms:
        if as_json:
            write_json(output, links.ready_event())
            continue
        output.write(
            f"Room {links.room!r} is open.\n\n"
            f"  Participants  {links.participant_url}\n"
            f"  Viewers       {links.viewer_url}\n"
            f"  Host          {links.host_url}\n\n"
            f"  Join from a device: edgeattend join '{links.participant_url}' --name NAME\n\n"
        )
    if own is not None and not as_json:
        output.write(
            f"This machine made its certificate itself: {own}\nBrowsers warn of it once per device. Elsewhere, copy"
            " the file and: SSL_CERT_FILE=tls-cert.pem edgeattend join …\n\n"
        )
    if not as_json:
        output.write("Ctrl-C ends the meeting.\n")


def write_json(output: Output, value: dict[str, Any]) -> None:
    """One line."""
    output.write(json.dumps(value, ensure_ascii=False) + "\n")


def finish(work: Coroutine[Any, Any, int], output: Output) -> None:
    """Run `work` and end the command with its exit code, after its last words."""
    try:
        raise typer.Exit(asyncio.run(work))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    finally:
        output.close()


def main() -> None:
    """Entry point: 0 fine, 1 failed, 2 wrong usage; an error is one sentence on standard error."""
    try:
        app()
    except EdgeAttendError as error:
        typer.echo(f"edgeattend: {error.message}", err=True)
        sys.exit(2 if isinstance(error, ConfigInvalid) else 1)


if __name__ == "__main__":
    main()
