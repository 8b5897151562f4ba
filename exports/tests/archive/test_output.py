"""Hashed files, and zip files that are written without seeking."""

import hashlib
import io
import subprocess
import tracemalloc
import zipfile
from datetime import datetime

import pytest

from exports.archive.output import Output, open_member, open_zip

CONTENTS = {"one.txt": b"one " * 5000, "empty.json": b"", "last.bin": bytes(range(256)) * 100}


def write_zip(out, contents=CONTENTS):
    with open_zip(out) as zip_file:
        for name, content in contents.items():
            with open_member(zip_file, name) as member:
                member.write(content)


def make_zip(contents=CONTENTS):
    file = io.BytesIO()
    write_zip(Output(file), contents)
    return file.getvalue()


@pytest.fixture(params=[zipfile.ZIP64_LIMIT, 10_000], ids=["small", "larger-than-zip64-limit"])
def data(request, monkeypatch):
    """Zip the same files, as if files were large above different sizes."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", request.param)
    return make_zip()


def test_python_reads_streamed_zip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.testzip() is None
        assert {info.filename: read.read(info) for info in read.infolist()} == CONTENTS
        first = read.infolist()[0]
    assert datetime(*first.date_time) == datetime(1980, 1, 1)
    assert first.external_attr >> 16 == 0o600
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


def test_zip_without_files_is_valid():
    with zipfile.ZipFile(io.BytesIO(make_zip({}))) as read:
        assert read.namelist() == []


def test_equal_contents_give_equal_zip_files():
    assert make_zip() == make_zip()


def test_output_hashes_zip_as_written(tmp_path):
    path = tmp_path / "files.zip"
    with path.open("w+b") as file:
        out = Output(file)
        write_zip(out)
        assert not file.closed
    content = path.read_bytes()
    assert (out.size, out.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_zip_memory_does_not_grow_with_size(tmp_path):
    piece = bytes(range(256)) * 1000
    with (tmp_path / "large.zip").open("wb") as file, open_zip(Output(file)) as zip_file:
        with open_member(zip_file, "large.bin") as member:
            member.write(piece)
            tracemalloc.start()
            for _ in range(300):
                member.write(piece)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * len(piece)
