"""Files of others, read within bounds."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from signaling.files import check_regular, read_bounded


def test_a_file_up_to_the_bound_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes") as caught:
        read_bounded(path, 4)
    assert caught.value.errno == errno.EFBIG


def test_a_file_that_hides_its_size_is_bounded_too() -> None:
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_bounded(Path("/proc/self/status"), 4)


def test_a_link_is_followed_and_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    check_regular(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(OSError, match=words) as caught:
            check_regular(path)
        assert caught.value.strerror
