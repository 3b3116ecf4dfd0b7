"""The server's life: what it refuses to start with, what it hands out, and that nothing is left when it ends."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from host.renderer import GridConfig
from signaling.errors import ConfigInvalid, PortTaken
from signaling.limits import RequestLimits
from signaling.protocol import Bye
from signaling.server import OwnTile, RunningServer, ServeConfig, running, serve
from signaling.tokens import Role
from tests.fake_peer import FakePeer, until
from tests.signaling.conftest import AUTHORITY, CONFIG, Client


def config(**changes: Any) -> ServeConfig:
    return dataclasses.replace(CONFIG, **changes)


async def start_and_stop(changed: ServeConfig) -> None:
    async with running(changed):
        pass


def our_threads() -> set[str]:
    """Names of threads beside this one and asyncio's own pool."""
    names = {thread.name for thread in threading.enumerate() if thread is not threading.main_thread()}
    return {name for name in names if not name.startswith("asyncio_")}


def make_certificate(folder: Path, days: int = 30) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rooms": ("a b",)}, "a room name of 1 to 64 letters, digits, '-' or '_', got 'a b'"),
        ({"rooms": ("main", "")}, "got ''"),
        ({"rooms": ("../x",)}, "a room name"),
        ({"rooms": ("-x",)}, "a room name"),
        ({"rooms": ("x" * 65,)}, "a room name"),
        ({"rooms": ("main\n",)}, "a room name"),
        ({"grid": GridConfig(321, 180)}, "an even grid width"),
        ({"grid": GridConfig(4096, 2160)}, "from 320x180 to 1280x720"),
        ({"grid": GridConfig(fps=0)}, "1 to 30 frames/s"),
        ({"secret": "short"}, "at least 32 characters"),
        ({"bind": "256.1.1.1", "insecure": True}, "an address of this machine"),
        ({"bind": "198.51.100.7", "insecure": True}, "an address of this machine"),
        ({"bind": "198.51.100.7"}, "serve --tls, serve --tls-cert with --tls-key, or --insecure, to listen on"),
        ({"bind": "0.0.0.0"}, "--insecure"),
        ({"bind": "::"}, "--insecure"),
        ({"bind": ""}, "--insecure"),
        ({"limits": RequestLimits(proxy="nginx")}, "the address of a proxy to trust, such as 127.0.0.1, got .nginx."),
        ({"tls_cert": Path("cert.pem")}, "certificate and its key together"),
        ({"tls_key": Path("key.pem")}, "certificate and its key together"),
        ({"tls_cert": Path("/nowhere.pem"), "tls_key": Path("/nowhere.key")}, "a PEM certificate"),
    ],
)
async def test_what_cannot_work_is_refused_with_what_was_expected(changes: dict[str, Any], message: str) -> None:
    before = our_threads()
    with pytest.raises(ConfigInvalid, match=message.replace("(", r"\(")):
        await start_and_stop(config(**changes))
    assert our_threads() == before


async def test_a_key_that_does_not_belong_to_the_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    cert, _ = make_certificate(tmp_path)
    _, key = make_certificate(tmp_path / "other")
    with pytest.raises(ConfigInvalid, match="a PEM certificate and its key"):
        await start_and_stop(config(tls_cert=cert, tls_key=key))


async def test_a_port_that_is_in_use_is_named(client: Client) -> None:
    port = client.server.port
    with pytest.raises(PortTaken, match=f"port {port} to be free, but something listens on 127.0.0.1:{port}"):
        await start_and_stop(config(port=port))
    assert (await client.json("/healthz"))["status"] == "ok"


async def test_every_room_gets_links_that_work(client: Client) -> None:
    for links in client.server.links:
        for url in (links.participant_url, links.viewer_url, links.host_url):
            async with client.http.get(url) as response:
                assert response.status == 200
        event = links.ready_event()
        assert event["event"] == "ready"
        assert set(event) >= {"room", "participant_url", "viewer_url", "host_url", "whip_url", "whep_url"}
        assert set(event) >= {"annotated_url", "status_url", "tokens"}
        for role in Role:
            assert AUTHORITY.check(event["tokens"][role.value], links.room, role).role is role
        assert parse_qs(urlsplit(links.participant_url).query)["token"] == [event["tokens"]["participant"]]


async def test_rooms_are_apart(client: Client) -> None:
    await client.join("?name=Ana")
    other = client.server.links[1].tokens["host"]
    assert (await client.json("/r/other/status", other))["participants"] == []


@pytest.mark.parametrize(("bind", "host"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")])
async def test_links_name_the_address_that_is_listened_on(bind: str, host: str) -> None:
    try:
        async with running(config(bind=bind)) as server:
            assert server.links[0].participant_url.startswith(f"http://{host}:{server.port}/r/main?token=")
    except ConfigInvalid:
        pytest.skip(f"this machine has no {bind}")


async def test_a_server_on_every_address_names_one_that_others_can_reach() -> None:
    async with running(config(bind="0.0.0.0", insecure=True)) as server:
        host = urlsplit(server.links[0].viewer_url).hostname
        assert host not in (None, "0.0.0.0")
        async with aiohttp.ClientSession() as http, http.get(f"http://{host}:{server.port}/healthz") as response:
            assert response.status == 200


async def test_with_a_certificate_everything_is_served_over_tls(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    async with running(config(tls_cert=cert, tls_key=key)) as server, aiohttp.ClientSession() as http:
        url = server.links[0].viewer_url
        assert url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(cert))
        trusting.check_hostname = False
        async with http.get(url, ssl=trusting) as response:
            assert response.status == 200


async def test_nothing_is_left_when_the_server_ends() -> None:
    tasks, threads = asyncio.all_tasks(), our_threads()
    peer, viewer = FakePeer(), FakePeer(None)
    async with aiohttp.ClientSession() as http:
        async with running(CONFIG) as server:
            client = Client(server, http)
            for each, path in ((peer, "/whip/main"), (viewer, "/whep/main")):
                answer = await client.post_offer(path, await each.offer())
                await each.accept(await answer.text())
            stream = await client.request("GET", "/r/main/annotated.mjpg", "host")
            await stream.content.readany()
            assert our_threads() > threads
        stream.close()
    assert (await peer.hear(Bye)).reason == "shutdown"
    await until(lambda: peer.connection.connectionState == viewer.connection.connectionState == "closed")
    await asyncio.gather(peer.close(), viewer.close())
    await until(lambda: asyncio.all_tasks() == tasks, timeout_s=3)
    await until(lambda: our_threads() == threads, timeout_s=3)


async def test_a_watcher_of_the_annotated_stream_does_not_hold_the_server_up() -> None:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as http:
        async with running(CONFIG) as server:
            stream = await Client(server, http).request("GET", "/r/main/annotated.mjpg", "host")
            await stream.content.readany()
            began = loop.time()
        assert loop.time() - began < 1.5
        async with asyncio.timeout(2), stream:
            await stream.content.read()  # ends in order


async def test_a_server_that_fails_inside_closes_its_rooms_too() -> None:
    threads = our_threads()
    with pytest.raises(ZeroDivisionError):
        async with running(CONFIG):
            raise ZeroDivisionError
    assert our_threads() == threads


async def test_serving_goes_on_until_it_is_stopped() -> None:
    stop, ready = asyncio.Event(), []

    def on_ready(server: RunningServer) -> None:
        ready.append(server)
        stop.set()

    await asyncio.wait_for(serve(CONFIG, on_ready, lambda _room, _event: None, stop), 10)
    assert len(ready) == 1


async def test_the_hosts_own_tile_is_a_process_with_the_participants_link(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, str, str]] = []
    ended = asyncio.Event()
    stop = asyncio.Event()

    class FakeProcess:
        last_words = ()

        def __init__(self, url: str, name: str, source: str, _: object) -> None:
            made.append((url, name, source))

        async def run(self) -> int:
            stop.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return 0

    monkeypatch.setattr("signaling.server.ParticipantProcess", FakeProcess)
    servers: list[RunningServer] = []
    own = OwnTile("camera:0", "Host")
    await asyncio.wait_for(serve(CONFIG, servers.append, lambda _room, _event: None, stop, own), 10)
    assert made == [(servers[0].links[0].participant_url, "Host", "camera:0")]
    assert ended.is_set()


async def test_a_tile_of_the_host_that_ends_is_logged_and_the_meeting_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class FakeProcess:
        last_words = ("first", "no camera")

        def __init__(self, *_: object) -> None: ...

        async def run(self) -> int:
            return 1

    monkeypatch.setattr("signaling.server.ParticipantProcess", FakeProcess)
    stop = asyncio.Event()
    own = OwnTile("camera:0", "Host")
    serving = asyncio.create_task(serve(CONFIG, lambda _: None, lambda _room, _event: None, stop, own))
    await until(lambda: caplog.records)
    assert "no camera" in caplog.text
    assert not serving.done()
    stop.set()
    await asyncio.wait_for(serving, 10)


async def test_events_name_their_room() -> None:
    events: list[tuple[str, str]] = []
    peer = FakePeer()
    async with (
        running(CONFIG, lambda room, event: events.append((room, event["event"]))) as server,
        aiohttp.ClientSession() as http,
    ):
        answer = await Client(server, http).post_offer("/whip/main?name=Ana", await peer.offer())
        assert answer.status == 201
    await peer.close()
    assert events[0] == ("main", "joined")
