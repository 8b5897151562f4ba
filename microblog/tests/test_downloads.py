import io
from contextlib import closing

import pytest
from django.test import RequestFactory

from microblog.downloads import UnsatisfiableRange, file_response, parse_range

pytestmark = pytest.mark.django_db  # closing a response ends a request, which closes connections

CONTENT = b"0123456789"


def respond(**headers):
    return file_response(
        RequestFactory().get("/", headers=headers),
        io.BytesIO(CONTENT),
        filename="a.txt",
        content_type="text/plain",
        etag='"tag"',
    )


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-4", 2, 5),
        ("bytes=9-", 9, 10),
        ("bytes=0-99", 0, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-99", 0, 10),
    ],
)
def test_range_selects_bytes(header, start, stop):
    assert parse_range(header, 10) == range(start, stop)
    with closing(respond(range=header)) as response:
        assert response.status_code == 206
        assert b"".join(response.streaming_content) == CONTENT[start:stop]
    assert response["Content-Length"] == str(stop - start)
    assert response["Content-Range"] == f"bytes {start}-{stop - 1}/10"


@pytest.mark.parametrize(
    "header",
    ["", "bytes=", "bytes=-", "bytes=a-b", "bytes=4-2", "bytes=0-1,4-5", "items=0-1", "bytes=٣-"],
)
def test_other_ranges_are_ignored(header):
    with closing(respond(range=header)) as response:
        assert response.status_code == 200
        assert b"".join(response.streaming_content) == CONTENT
    assert (response["Content-Length"], response["ETag"]) == ("10", '"tag"')
    assert "Content-Range" not in response


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_range_beyond_end_is_unsatisfiable(header):
    with pytest.raises(UnsatisfiableRange):
        parse_range(header, 10)
    response = respond(range=header)
    assert (response.status_code, response["Content-Range"]) == (416, "bytes */10")


@pytest.mark.parametrize("validator", ['"other"', 'W/"tag"', "Fri, 27 Nov 2026 20:00:00 GMT"])
def test_changed_file_is_sent_whole(validator):
    with closing(respond(range="bytes=5-", **{"if-range": validator})) as response:
        assert response.status_code == 200
        assert b"".join(response.streaming_content) == CONTENT
