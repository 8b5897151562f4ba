"""Zip files that are made as a stream."""

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


def packed(contents=CONTENTS, piece=1000):
    maker = Zip()
    data = b""
    for name, content in contents.items():
        data += maker.begin(name)
        for start in range(0, len(content), piece):
            data += maker.write(content[start : start + piece])
        data += maker.end()
    return data + maker.close()


@pytest.fixture(
    params=[packing.LIMIT, 10_000, 0], ids=["no Zip64", "Zip64 for some", "Zip64 for all"]
)
def data(request, monkeypatch):
    """The same files, as if only so many bytes could be told without Zip64."""
    monkeypatch.setattr(packing, "LIMIT", request.param)
    return packed()


def test_python_reads_it(data):
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.testzip() is None
        assert {info.filename: read.read(info) for info in read.infolist()} == CONTENTS
        first = read.infolist()[0]
    assert datetime(*first.date_time) == datetime(1980, 1, 1)
    assert first.external_attr >> 16 == 0o100600
    assert first.compress_size < first.file_size == 20_000


@pytest.mark.needs("unzip")
def test_unzip_reads_it(data, tmp_path):
    path = tmp_path / "files.zip"
    path.write_bytes(data)
    done = subprocess.run(["unzip", "-tq", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_byte_that_was_changed_is_told():
    with (
        pytest.raises(zipfile.BadZipFile),
        zipfile.ZipFile(io.BytesIO(packed().replace(b"one", b"two", 1))) as read,
    ):
        read.read("one.txt")


def test_zip64_is_used_only_beyond_four_gibibytes(monkeypatch):
    assert END_64 not in packed()
    monkeypatch.setattr(packing, "LIMIT", 10_000)
    with zipfile.ZipFile(io.BytesIO(packed())) as read:
        assert [info.extract_version for info in read.infolist()] == [45, 20, 45]


def test_an_empty_one_is_sound():
    with zipfile.ZipFile(io.BytesIO(packed({}))) as read:
        assert read.namelist() == []


def test_the_same_pieces_give_the_same_bytes():
    assert packed() == packed()


def test_memory_does_not_depend_on_the_size():
    maker, piece = Zip(), bytes(range(256)) * 1000
    maker.begin("large.bin")
    maker.write(piece)
    tracemalloc.start()
    for _ in range(300):
        maker.write(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(piece)
