import stat
import subprocess
from pathlib import Path

import pytest

from dev import broker
from microblog.addresses import MAX_SOCKET_PATH_BYTES


def test_short_socket_path_is_in_folder():
    assert broker.socket_path(Path("/srv/var")) == Path("/srv/var/valkey.sock")


def test_long_socket_path_moves_to_private_folder():
    socket = broker.socket_path(Path("/srv") / ("long" * 30))

    assert len(str(socket)) <= MAX_SOCKET_PATH_BYTES
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    socket.parent.rmdir()


def test_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: tmp_path.stat().st_uid + 1)

    with pytest.raises(PermissionError, match="belongs to another user"):
        broker.make_private_dir(tmp_path)


def test_symlink_to_folder_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(PermissionError):
        broker.make_private_dir(tmp_path / "link")


def test_network_url_has_no_socket():
    assert broker.socket_from_url("redis://broker.example:6379/0") is None
    assert broker.socket_from_url("unix:///run/valkey.sock?db=1") == Path("/run/valkey.sock")


def test_wait_for_missing_broker_times_out(tmp_path):
    with pytest.raises(
        TimeoutError, match=r"No broker answers at .*valkey\.sock after 0\.1 seconds"
    ):
        broker.wait_until_ready(f"unix://{tmp_path}/valkey.sock", seconds=0.1)


def test_broker_data_survives_restart(tmp_path):
    import redis

    socket = broker.socket_path(tmp_path)
    for expected in (None, b"kept"):
        server = subprocess.Popen(
            broker.server_command(socket, tmp_path), stdout=subprocess.DEVNULL
        )
        broker.wait_until_ready(f"unix://{socket}")
        with redis.Redis(unix_socket_path=str(socket)) as connection:
            assert connection.get("name") == expected
            connection.set("name", "kept")
        server.kill()
        server.wait()
