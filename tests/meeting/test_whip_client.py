"""FFmpeg's own WHIP muxer (in PyAV's wheel) publishing H.264 and Opus into a room."""

from __future__ import annotations

import asyncio
import datetime
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.meeting.processes import CLIPS, Meeting, meeting

PUBLISH = Path(__file__).parent / "publish_whip.py"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(tmp_path / "secret") as current:
        yield current


def write_certificate(folder: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> tuple[Path, Path]:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "whip")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(*form))
    return cert_file, key_file


async def publish(room: Meeting, *options: str) -> asyncio.subprocess.Process:
    url, token = room.ready["whip_url"] + "?name=FFmpeg", room.ready["tokens"]["participant"]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(PUBLISH), url, *options),
        env=os.environ | {"EDGEATTEND_TOKEN": token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa"])
async def test_ffmpeg_publishes_h264_and_its_audio_is_refused_cleanly(room: Meeting, tmp_path: Path, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind != "rsa" else rsa.generate_private_key(65537, 2048)
    cert_file, key_file = write_certificate(tmp_path, key)
    process = await publish(room, str(cert_file), str(key_file))
    person = await room.person("FFmpeg", lambda p: p["state"] == "live" and p["video"] is not None)
    assert (person["video"]["width"], person["video"]["height"]) == (320, 240)
    assert person["mood"] is None
    assert process.stdin is None
    process.terminate()
    await process.communicate()


async def test_ffmpeg_leaves_with_delete(room: Meeting, tmp_path: Path) -> None:
    cert_file, key_file = write_certificate(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    process = await publish(room, str(cert_file), str(key_file), "--frames", "45")
    await room.person("FFmpeg", lambda p: p["video"] is not None)
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    await room.nobody("FFmpeg", timeout_s=2)


async def test_handshake_that_fails_disturbs_nobody(room: Meeting) -> None:
    """FFmpeg's own key in this wheel is on P-224, which our OpenSSL does not know."""
    await room.join("Ana", str(CLIPS / "ana.mp4"))
    await room.person("Ana", lambda p: p["video"] is not None)
    process = await publish(room)
    await process.communicate()
    assert process.returncode != 0
    await room.nobody("FFmpeg")
    assert (await room.person("Ana", lambda p: p["state"] == "live"))["video"]["fps"] > 5
    assert "Traceback" not in room.server.stderr
