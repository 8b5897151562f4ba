"""Archives made to harm: each is refused with one sentence, before it is unpacked."""

import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib

import pytest
from django.utils import translation

from imports.archives import ArchiveError, Limits, Problem, open_archive
from imports.archives.base import read_chunks
from imports.readers import find_reader
from imports.readers.json_stream import guard
from imports.tests.readers.builders import (
    activity,
    bare_file,
    gzipped_tar,
    mastodon_zip,
    outbox,
    read,
    tar_file,
    zip_file,
)

SMALL = Limits(
    max_bytes=1_000_000,
    max_unpacked_bytes=10_000_000,
    max_members=10,
    min_ratio_bytes=100_000,
    max_items=100,
)
OUTBOX = {"outbox.json": outbox(activity())}


def read_everything(file, name, limits):
    archive = open_archive(file, name, limits)
    for member in archive.members:
        for _ in read_chunks(archive.open(member)):
            pass
    reader = find_reader(archive)
    assert reader.summary
    for _ in reader.posts():
        pass


def problem_of(file, name="", limits=SMALL):
    with pytest.raises(ArchiveError) as error:
        read_everything(file, name, limits)
    assert str(error.value)
    return error.value.problem


def changed(file, *changes):
    """Replace bytes in all places, keeping the length."""
    data = file.getvalue()
    for before, after in changes:
        assert before in data
        assert len(before) == len(after)
        data = data.replace(before, after)
    return io.BytesIO(data)


def with_mode(mode, name="link"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, "outbox.json")
    return file


@pytest.mark.parametrize(
    "name",
    [
        "../outbox.json",
        "/outbox.json",
        "a/../../b",
        "a//b",
        "./../x",
        "C:/x",
        "a\\b",
        "a/./b",
        "x" * 501,
        "a/" * 20 + "b",
        "a\nb",
        "a\x7fb",
    ],
)
@pytest.mark.parametrize("build", [zip_file, tar_file])
def test_name_that_leads_elsewhere_is_refused(name, build):
    assert problem_of(build({name: "x"})) == Problem.FILE_NAME


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o060666, 0o010666, 0o140777])
def test_zip_with_link_or_device_is_refused(mode):
    assert problem_of(with_mode(mode)) == Problem.LINK


@pytest.mark.parametrize("mode", [0, 0o100644, 0o644])
def test_zip_with_ordinary_file_is_accepted(mode):
    assert open_archive(with_mode(mode, "file"), "", SMALL).members == {"file": 11}


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CONTTYPE,
        tarfile.GNUTYPE_SPARSE,
        tarfile.GNUTYPE_LONGLINK,
        b"V",
        b"Z",
    ],
)
def test_tar_with_link_or_device_is_refused(kind):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    assert problem_of(gzipped_tar((info, b""))) == Problem.LINK


@pytest.mark.parametrize("build", [zip_file, tar_file])
def test_nested_archive_is_refused(build):
    assert problem_of(build({"inner.ZIP": "x"})) == Problem.NESTED


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_duplicate_names_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("outbox.json", "1")
        archive.writestr("outbox.json", "2")
    assert problem_of(file) == Problem.DUPLICATE


def test_tar_with_duplicate_names_is_refused():
    infos = [tarfile.TarInfo("./outbox.json"), tarfile.TarInfo("outbox.json")]
    assert problem_of(gzipped_tar(*((info, b"") for info in infos))) == Problem.DUPLICATE


@pytest.mark.parametrize("build", [zip_file, tar_file])
def test_many_members_are_refused(build):
    assert problem_of(build({f"{n}.json": "" for n in range(11)})) == Problem.TOO_MANY_FILES


@pytest.mark.parametrize("build", [zip_file, tar_file])
def test_bomb_is_refused_by_size(build):
    assert problem_of(build({"outbox.json": "\0" * 10_000_001})) in (
        Problem.UNPACKED,
        Problem.RATIO,
    )


@pytest.mark.parametrize("build", [zip_file, tar_file])
def test_bomb_is_refused_by_ratio(build):
    assert problem_of(build({"outbox.json": "\0" * 2_000_000})) == Problem.RATIO


def test_large_upload_is_refused():
    assert problem_of(bare_file(b"{" * 1_000_001)) == Problem.TOO_LARGE


def test_empty_upload_is_refused():
    assert problem_of(io.BytesIO()) == Problem.EMPTY


def test_encrypted_zip_is_refused():
    file = zip_file(OUTBOX, zipfile.ZIP_STORED).getvalue()
    central = file.index(b"PK\1\2")
    encrypted = bytearray(file)
    encrypted[6] |= 1
    encrypted[central + 8] |= 1
    assert problem_of(io.BytesIO(encrypted)) == Problem.ENCRYPTED


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_with_other_compression_is_refused(method):
    assert problem_of(zip_file(OUTBOX, method)) == Problem.COMPRESSION


@pytest.mark.parametrize("head", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\7", b"BZh9", b"\xfd7zXZ\0"])
def test_other_packers_are_refused(head):
    assert problem_of(io.BytesIO(head + b"x" * 99)) == Problem.COMPRESSION


@pytest.mark.parametrize(
    "head", [b"age-encryption.org/v1\n-> scrypt", b"-----BEGIN AGE ENCRYPTED FILE-----\n"]
)
def test_age_file_is_refused_with_instructions(head):
    assert problem_of(io.BytesIO(head), "posts.json.age") == Problem.AGE
    assert str(ArchiveError(Problem.AGE)).count("\n") == 3


def end_record(disk=0, first_disk=0, here=0, count=0, size=0, start=0, comment=0):
    return struct.pack("<4s4H2LH", b"PK\5\6", disk, first_disk, here, count, size, start, comment)


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        (end_record(disk=1), Problem.SPLIT),
        (end_record(first_disk=1), Problem.SPLIT),
        (end_record(count=3), Problem.SPLIT),
        (end_record(here=11, count=11), Problem.TOO_MANY_FILES),
        (end_record(here=0xFFFF, count=0xFFFF), Problem.TOO_MANY_FILES),
        (end_record(size=0xFFFFFFF0), Problem.TOO_MANY_FILES),
        (end_record(size=100), Problem.DAMAGED),
        (end_record(start=100), Problem.DAMAGED),
        (end_record(here=1, count=1), Problem.DAMAGED),
        (end_record(comment=5), Problem.DAMAGED),
        (end_record() + b"x", Problem.DAMAGED),
        (end_record()[:20], Problem.DAMAGED),
        (b"PK\3\4" + b"\0" * 40, Problem.DAMAGED),
        (b"PK\7\x08PK\3\4", Problem.SPLIT),
    ],
)
def test_zip_with_wrong_directory_is_refused(end, problem):
    assert problem_of(io.BytesIO(end)) == problem


def overlapping_zip(copies=9):
    """Return a zip whose members all share the same compressed bytes (a quoted-overlap bomb)."""
    data = zlib.compress(b"\0" * 9000)[2:-4]
    crc = zlib.crc32(b"\0" * 9000)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(data), 9000, 1, 0)
    directory = b"".join(
        struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(data), 9000, 1, 0, 0, 0, 0, 0, 0),
        )
        + b"a"
        for _ in range(copies)
    )
    body = local + b"a" + data
    end = end_record(here=copies, count=copies, size=len(directory), start=len(body))
    return io.BytesIO(body + directory + end)


def test_zip_with_overlapping_members_is_refused():
    assert problem_of(overlapping_zip()) == Problem.DAMAGED
    assert problem_of(overlapping_zip(copies=1), limits=SMALL) == Problem.UNKNOWN


def test_zip_with_other_local_name_is_refused():
    data = zip_file(OUTBOX).getvalue()
    file = data.replace(b"outbox.json", b"inbox.json!", 1)
    assert problem_of(io.BytesIO(file)) == Problem.DAMAGED


def test_zip_with_wrong_checksum_is_refused():
    file = changed(zip_file(OUTBOX, zipfile.ZIP_STORED), (b"<p>Hello", b"<p>Jello"))
    assert problem_of(file) == Problem.DAMAGED


def test_zip_with_wrong_size_is_refused():
    data = zip_file({"outbox.json": "x" * 300}, zipfile.ZIP_DEFLATED)
    for size in (299, 301, 10):
        file = changed(data, (struct.pack("<L", 300), struct.pack("<L", size)))
        assert problem_of(file) == Problem.DAMAGED


def one_member_zip(packed, size, crc=0, *, method=8, local_method=8, packed_size=None):
    packed_size = len(packed) if packed_size is None else packed_size
    local = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, 0, local_method, 0, 0, crc, packed_size, size, 1, 0
    )
    fields = (b"PK\1\2", 20, 20, 0, method, 0, 0, crc, packed_size, size, 1, 0, 0, 0, 0, 0, 0)
    directory = struct.pack("<4s6H3L5H2L", *fields) + b"a"
    body = local + b"a" + packed
    return io.BytesIO(
        body + directory + end_record(here=1, count=1, size=len(directory), start=len(body))
    )


def deflated(data):
    return zlib.compress(data)[2:-4]


def test_zip_member_that_reaches_into_directory_is_refused():
    packed = deflated(b"x")
    file = one_member_zip(packed, 1, zlib.crc32(b"x"), packed_size=len(packed) + 9)
    assert problem_of(file) == Problem.DAMAGED
    with pytest.raises(ArchiveError):
        open_archive(file)


def test_zip_with_two_methods_is_refused():
    file = one_member_zip(deflated(b"x"), 1, zlib.crc32(b"x"), local_method=0)
    with pytest.raises(ArchiveError):
        open_archive(file)


def test_zip_member_with_bytes_behind_it_is_refused():
    crc = zlib.crc32(b"x")
    assert problem_of(one_member_zip(deflated(b"x") + b"more", 1, crc)) == Problem.DAMAGED
    assert problem_of(one_member_zip(deflated(b"x"), 1, crc)) == Problem.UNKNOWN


def test_zip_member_larger_than_declared_stops_early():
    stream = open_archive(one_member_zip(deflated(b"x" * 900_000), 10)).open("a")
    with pytest.raises(ArchiveError):
        stream.read(1000)


def test_tar_checksum_is_checked_behind_its_end():
    members = tar_file({"a": "x"}, mode="w").getvalue()
    data = bytearray(gzip.compress(members + random.Random(1).randbytes(300_000)))
    data[-6] ^= 1
    with pytest.raises(ArchiveError):
        open_archive(io.BytesIO(data))


def test_zip_with_bytes_in_front_is_refused():
    assert problem_of(io.BytesIO(b"PK\3\4" + zip_file(OUTBOX).getvalue())) == Problem.DAMAGED


def test_zip64_of_small_files_is_accepted(monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    file = zip_file(OUTBOX)
    assert b"PK\6\6" in file.getvalue()
    assert [post.body for post in read(file)[0]] == ["Hello"]


def test_zip_written_as_a_stream_is_accepted():
    class Pipe(io.RawIOBase):
        data = b""

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("outbox.json", b'{"orderedItems": []}')
    assert read(io.BytesIO(pipe.data)) == ([], {})


def test_long_tar_name_is_not_read_into_memory():
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 9_000_000
    assert problem_of(gzipped_tar((info, b""))) == Problem.FILE_NAME


def pax(records, kind=tarfile.XHDTYPE):
    info = tarfile.TarInfo("pax")
    info.type, info.size = kind, len(records)
    return info, records


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        (b"20 path=../../hello\n", Problem.FILE_NAME),
        (b"12 size=999\n", Problem.DAMAGED),
        (b"24 GNU.sparse.name=abcd\n", Problem.DAMAGED),
        (b"99 path=x\n", Problem.DAMAGED),
        (b"0 path=x\n", Problem.DAMAGED),
        (b"path=x\n", Problem.DAMAGED),
        (b"999999999999999999 path=x\n", Problem.DAMAGED),
        (b"10 path=x\xff\n", Problem.DAMAGED),
        (b"\0" * 100, Problem.DAMAGED),
    ],
)
def test_tar_with_bad_pax_header_is_refused(records, problem):
    assert problem_of(gzipped_tar(pax(records), (tarfile.TarInfo("x"), b""))) == problem


def test_tar_with_global_path_is_refused():
    records = b"14 path=other\n"
    file = gzipped_tar(pax(records, tarfile.XGLTYPE), (tarfile.TarInfo("x"), b""))
    assert problem_of(file) == Problem.FILE_NAME


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_tar_names_are_read(format):
    name = "a" * 90 + "/" + "b" * 90
    assert list(open_archive(tar_file({name: "x"}, format=format)).members) == [name]


@pytest.mark.parametrize("size", [-1, 8**11 - 1])
def test_tar_with_impossible_size_is_refused(size):
    info = tarfile.TarInfo("x")
    info.size = size
    assert problem_of(gzipped_tar((info, b""))) in (Problem.DAMAGED, Problem.UNPACKED)


@pytest.mark.parametrize("cut", [1, 8, 100, 300])
def test_tar_cut_short_is_refused(cut):
    random_bytes = random.Random(1).randbytes(2000)
    data = tar_file({"outbox.json": random_bytes}).getvalue()
    assert problem_of(io.BytesIO(data[:-cut])) == Problem.DAMAGED


def test_gzip_of_anything_else_is_unknown():
    assert problem_of(io.BytesIO(gzip.compress(b"x" * 600))) == Problem.UNKNOWN


@pytest.mark.parametrize(
    "content",
    [b"\0" * 600, b"hello", b"{}", b"[]", b"<html></html>", b"\xff\xd8\xff\xe0JFIF", b"[" * 9999],
)
def test_unknown_file_is_refused(content):
    assert problem_of(io.BytesIO(content)) == Problem.UNKNOWN


@pytest.mark.parametrize("build", [zip_file, tar_file])
def test_archive_of_other_things_is_unknown(build):
    assert problem_of(build({"holiday.jpg": "x"})) == Problem.UNKNOWN


def items(text):
    return bare_file(b'{"orderedItems": [{"x": ' + text + b"}]}")


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 40 + b"]" * 40,
        b'"' + b"x" * 600_000 + b'"',
        b'"' + b"\\\\" * 600_000 + b'"',
        b"1" * 1_200_000,
        b"[" + b"0," * 600_000 + b"0]",
        b"[" + b"[]," * 400_000 + b"0]",
        b" " * 1_200_000,
    ],
    ids=["arrays", "objects", "nested", "string", "escapes", "number", "list", "lists", "spaces"],
)
def test_json_bomb_is_refused(text):
    assert problem_of(items(text), limits=Limits()) == Problem.TOO_COMPLEX


@pytest.mark.parametrize(
    "text",
    [b'"\xed\xa0\x80"', b'"\xff"', b"NaN", b"1e999999", b"9" * 100, b"", b'"\0"', b"'x'", b"01"],
)
def test_invalid_json_is_damage(text):
    assert problem_of(items(text)) == Problem.DAMAGED


def test_brackets_in_strings_are_no_nesting():
    content = '<p>[[[[ "quoted" \\ {{{{</p>' * 20
    [post] = read(mastodon_zip(activity(content)))[0]
    assert post.body.startswith('[[[[ "quoted" \\ {{{{')


@pytest.mark.parametrize(
    ("text", "is_nested"),
    [
        (rb'{"a": "\\\"[[[[", "b": "\\", "c": "\"{{{{"}', False),
        (rb'{"a": "\\", "b": [[[]]]}', True),
        (rb'{"a": "\"\\\\", "b": [[[]]], "c": "\\"}', True),
    ],
)
def test_escapes_across_chunks_are_followed(text, is_nested):
    for position in range(len(text)):
        chunks = [text[:position], text[position : position + 1], text[position + 1 :]]
        passed = guard(chunks, Limits(max_json_depth=3), item_depth=1)
        if is_nested:
            with pytest.raises(ArchiveError):
                list(passed)
        else:
            assert b"".join(passed) == text


def test_endless_number_between_items_is_refused():
    file = bare_file(b'{"orderedItems": [{}], "y": ' + b"1" * 1_200_000 + b"}")
    assert problem_of(file, limits=Limits()) == Problem.TOO_COMPLEX


def test_many_items_are_refused():
    file = bare_file(outbox(*(activity(number=n) for n in range(101))))
    assert problem_of(file) == Problem.TOO_MANY_ITEMS


@pytest.mark.parametrize("language", ["en", "es", "zh-hans"])
def test_each_problem_is_a_sentence(language):
    with translation.override(language):
        for problem in Problem:
            assert str(ArchiveError(problem)).endswith((".", "。"))


def test_errors_of_the_disk_pass():
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        open_archive(Broken(b"x"))
