"""Streamed zip files."""

import io
import subprocess
import tracemalloc
import zipfile
from datetime import datetime

import pytest

from exports.archive import packing
from exports.archive.packing import Zip

CONTENTS = {"one.txt": b"one " * 5000, "empty.json": b"", "last.bin": bytes(range(256)) * 100}
END_64 = b"PK\x06\x06"


def make_zip(contents=CONTENTS, piece=1000):
    packing = Zip()
    data = b""
    for name, content in contents.items():
        data += packing.begin(name)
        for start in range(0, len(content), piece):
            data += packing.write(content[start : start + piece])
        data += packing.end()
    return data + packing.close()


@pytest.fixture(
    params=[packing.LIMIT, 10_000, 0], ids=["no-zip64", "zip64-for-some", "zip64-for-all"]
)
def data(request, monkeypatch):
    """Zip the same files, with Zip64 needed above different sizes."""
    monkeypatch.setattr(packing, "LIMIT", request.param)
    return make_zip()


def test_python_reads_streamed_zip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.testzip() is None
        assert {info.filename: read.read(info) for info in read.infolist()} == CONTENTS
        first = read.infolist()[0]
    assert datetime(*first.date_time) == datetime(1980, 1, 1)
    assert first.external_attr >> 16 == 0o100600
    assert first.compress_size < first.file_size == 20_000


@pytest.mark.needs("unzip")
def test_unzip_reads_streamed_zip(data, tmp_path):
    path = tmp_path / "files.zip"
    path.write_bytes(data)
    done = subprocess.run(["unzip", "-tq", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_changed_byte_is_detected():
    with (
        pytest.raises(zipfile.BadZipFile),
        zipfile.ZipFile(io.BytesIO(make_zip().replace(b"one", b"two", 1))) as read,
    ):
        read.read("one.txt")


def test_zip64_is_used_only_above_limit(monkeypatch):
    assert END_64 not in make_zip()
    monkeypatch.setattr(packing, "LIMIT", 10_000)
    with zipfile.ZipFile(io.BytesIO(make_zip())) as read:
        assert [info.extract_version for info in read.infolist()] == [45, 20, 45]


def test_empty_zip_is_valid():
    with zipfile.ZipFile(io.BytesIO(make_zip({}))) as read:
        assert read.namelist() == []


def test_equal_pieces_give_equal_bytes():
    assert make_zip() == make_zip()


def test_zip_memory_does_not_grow_with_size():
    packing, piece = Zip(), bytes(range(256)) * 1000
    packing.begin("large.bin")
    packing.write(piece)
    tracemalloc.start()
    for _ in range(300):
        packing.write(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(piece)
