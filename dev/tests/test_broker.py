import stat
import subprocess
from pathlib import Path

import pytest

from dev import broker


def test_the_socket_lies_in_the_folder_where_its_path_fits():
    assert broker.socket_in(Path("/srv/var")) == Path("/srv/var/valkey.sock")


def test_the_socket_of_a_long_path_gets_a_short_folder_for_us_alone():
    socket = broker.socket_in(Path("/srv") / ("long" * 30))

    assert len(str(socket)) <= broker.SOCKET_BYTES
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    socket.parent.rmdir()


def test_a_folder_that_is_not_ours_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: tmp_path.stat().st_uid + 1)

    with pytest.raises(PermissionError, match="belongs to somebody else"):
        broker.make_private(tmp_path)


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(PermissionError):
        broker.make_private(tmp_path / "link")


def test_a_url_on_the_network_has_no_socket():
    assert broker.socket_of("redis://broker.example:6379/0") is None
    assert broker.socket_of("unix:///run/valkey.sock?db=1") == Path("/run/valkey.sock")


def test_waiting_for_a_broker_that_never_comes_ends(tmp_path):
    with pytest.raises(
        TimeoutError, match=r"No broker answers at .*valkey\.sock after 0\.1 seconds"
    ):
        broker.wait(f"unix://{tmp_path}/valkey.sock", seconds=0.1)


def test_what_it_holds_survives_a_restart(tmp_path):
    import redis

    socket = broker.socket_in(tmp_path)
    for expected in (None, b"kept"):
        server = subprocess.Popen(broker.command(socket, tmp_path), stdout=subprocess.DEVNULL)
        broker.wait(f"unix://{socket}")
        with redis.Redis(unix_socket_path=str(socket)) as connection:
            assert connection.get("name") == expected
            connection.set("name", "kept")
        server.kill()
        server.wait()
