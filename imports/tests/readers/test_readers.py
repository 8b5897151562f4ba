"""The interface that all sources share."""

import io
from collections.abc import Iterator

import pytest

from imports.archives import ArchiveError, Problem, open_archive
from imports.readers import Reader, Reason, Summary, find_reader, readers
from imports.readers.items import ImportablePost

from .builders import (
    account_zip,
    bare_file,
    bluesky_car,
    bluesky_post,
    mastodon_zip,
    own_post,
    posts_json,
    tweet,
    tweets_js,
    x_zip,
)


def test_sources_register_themselves():
    assert set(readers()) == {"bluesky", "mastodon", "mastodon_lists", "microblog", "x"}
    assert all(str(reader.label) for reader in readers().values())


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (mastodon_zip(), "mastodon"),
        (x_zip(tweet()), "x"),
        (bare_file(tweets_js()), "x"),
        (bluesky_car(bluesky_post()), "bluesky"),
        (bare_file(posts_json()), "microblog"),
        (account_zip(own_post(id=7)), "microblog"),
        (bare_file("a@b.example"), "mastodon_lists"),
    ],
)
def test_only_one_reader_detects_an_archive(file, source):
    archive = open_archive(file)
    assert [name for name, reader in readers().items() if reader.detect(archive)] == [source]


def test_reading_twice_gives_the_same():
    reader = find_reader(open_archive(x_zip(tweet(), tweet(number=2))))
    assert list(reader.posts()) == list(reader.posts())


def test_two_readings_do_not_disturb_each_other():
    for file in (x_zip(tweet(), tweet(number=2)), bluesky_car(bluesky_post(), bluesky_post("2"))):
        reader = find_reader(open_archive(file))
        pairs = list(zip(reader.posts(), reader.posts(), strict=True))
        assert len(pairs) == 2
        assert all(one == other for one, other in pairs)


class Clumsy(Reader):
    name, label = "clumsy", "Clumsy"

    @classmethod
    def detect(cls, archive):
        return False

    def read_summary(self) -> Summary:
        raise KeyError("missing")

    def read_items(self) -> Iterator[ImportablePost]:
        yield from dict[str, list[ImportablePost]]()["missing"]


def test_unforeseen_shape_is_refused_and_logged(caplog):
    reader = Clumsy(open_archive(bare_file("x")))
    with pytest.raises(ArchiveError) as error:
        list(reader.posts())
    assert error.value.problem == Problem.DAMAGED
    with pytest.raises(ArchiveError):
        _ = reader.summary
    assert len(caplog.records) == 2


def test_error_of_the_caller_passes():
    posts = find_reader(open_archive(x_zip(tweet()))).posts()

    def work():
        for _ in posts:
            raise KeyError("mine")

    with pytest.raises(KeyError):
        work()


def test_every_reason_is_a_sentence():
    assert all(str(reason.label) for reason in Reason)


def test_codes_fit_into_the_task():
    assert max(len(problem) for problem in Problem) <= 16


def test_file_stays_open_for_the_caller():
    file = io.BytesIO(b"PK\5\6" + b"\0" * 18)
    assert open_archive(file).members == {}
    assert not file.closed
