import pytest

from imports.archives import ArchiveError, Problem

from .builders import bare_file, read, summary, zip_file

FOLLOWING = "Account address,Show boosts,Notify on new posts,Languages\n"


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        (FOLLOWING + "a@b.example,true,false,\n", "", "following"),
        ("Account address,Show boosts\na@b.example,true\n", "", "following"),
        ("Account address\r\n@a@b.example\r\n", "following.csv", "following"),
        ("\ufeffAccount address,Show boosts\na@b.example,true\n", "", "following"),
        ("a@b.example,true\n", "following_accounts.csv", "following"),
        ("Account address,Hide notifications\na@b.example,true\n", "x.csv", "mutes"),
        ("a@b.example\n", "muted_accounts (1).csv", "mutes"),
        ("a@b.example\n@a@b.example\n", "blocked_accounts.csv", "blocks"),
        ("a@b.example", "unknown.csv", "blocks"),
    ],
)
def test_list_is_recognized(text, name, kind):
    facts = summary(bare_file(text), name)
    found = {"following": facts.following, "mutes": facts.mutes, "blocks": facts.blocks}
    assert {key: names for key, names in found.items() if names} == {kind: ("a@b.example",)}


def test_lists_in_a_zip_are_read_together():
    file = zip_file(
        {
            "following_accounts.csv": FOLLOWING + "a@b.example,true,false,\n",
            "blocked_accounts.csv": "c@d.example\n",
        }
    )
    facts = summary(file)
    assert (facts.following, facts.blocks) == (("a@b.example",), ("c@d.example",))


def test_lists_have_no_posts():
    assert read(bare_file("a@b.example\n")) == ([], {})


def test_lines_that_are_no_addresses_are_ignored():
    text = FOLLOWING + 'not an address,true\n"a@b.example",true\n,\n=1+1@x y\n'
    assert summary(bare_file(text)).following == ("a@b.example",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (FOLLOWING + '"' + "x" * 200_000, Problem.DAMAGED),
        (FOLLOWING + "a@b.example\n" * 500_000, Problem.TOO_COMPLEX),
        (FOLLOWING + "".join(f"a{n}@b.example\n" for n in range(50_001)), Problem.TOO_MANY_ITEMS),
        (FOLLOWING.encode() + b"\xff", Problem.DAMAGED),
    ],
    ids=["long field", "long file", "many names", "no UTF-8"],
)
def test_hostile_list_is_refused(text, problem):
    with pytest.raises(ArchiveError) as error:
        summary(bare_file(text))
    assert error.value.problem == problem
