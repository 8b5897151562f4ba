"""The search index after a migration, or an accident, has removed its triggers."""

import re
from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.db import connection, utils
from django.db.migrations.loader import MigrationLoader
from django.test.utils import CaptureQueriesContext

from blog.models import Post, User
from blog.search import index as search_index
from blog.search.index import MODELS, words_table
from blog.search.query import SearchQuery

pytestmark = pytest.mark.django_db(transaction=True)


def migrate():
    """Call what `migrate` calls at its end."""
    search_index.install(sender=None, using="default")


def rebuild():
    call_command("rebuild_search_index")


def drop_triggers():
    """Lose the triggers as in a migration: on SQLite, one that rebuilds the tables."""
    if connection.vendor == "sqlite":
        models = MigrationLoader(connection).project_state().apps
        editor: Any
        with connection.schema_editor() as editor:
            for name in ("Post", "User"):
                editor._remake_table(models.get_model("blog", name))
        return
    with connection.cursor() as cursor:
        for model in MODELS:
            table = model._meta.db_table
            cursor.execute(f"DROP TRIGGER {words_table(model)}_changed ON {table}")


def warnings():
    found = run_checks(tags=[Tags.database], databases=["default"])
    return [warning.msg for warning in found if warning.id == "blog.W001"]


def found_posts(text):
    keys = SearchQuery(text).posts(Post.objects.all()).keys
    return sorted(Post.objects.filter(pk__in=keys).values_list("body", flat=True))


def found_users(text):
    keys = SearchQuery(text).users(User.objects.all()).keys
    return sorted(User.objects.filter(pk__in=keys).values_list("username", flat=True))


def set_body(posts, body):
    for post in posts:
        post.body = body
        post.save()


def write(author):
    Post.objects.create(author=author, body="train at night")


def edit(author):
    set_body(author.posts.filter(body="bus"), "train at noon")


def delete(author):
    author.posts.filter(body="train").delete()


@pytest.mark.parametrize("repair", [migrate, rebuild])
@pytest.mark.parametrize("change", [write, edit, delete])
def test_change_without_triggers_is_found_after_repair(alice, change, repair):
    for body in ("train", "bus"):
        Post.objects.create(author=alice, body=body)
    drop_triggers()
    change(alice)
    repair()
    assert warnings() == []
    expected = sorted(alice.posts.filter(body__startswith="train").values_list("body", flat=True))
    assert found_posts("train") == expected
    # An index that does not know a row, or has other words of it, would break here on SQLite.
    set_body(alice.posts.all(), "boat")
    assert (found_posts("train"), len(found_posts("boat"))) == ([], alice.posts.count())
    alice.posts.all().delete()
    assert warnings() == []


def test_users_without_triggers_are_found_after_migration(alice, bob, make_user):
    drop_triggers()
    make_user("carol", about_me="I like trains")
    alice.about_me = "trains, too"
    alice.save()
    bob.delete()
    migrate()
    assert found_users("trains") == ["alice", "carol"]
    assert found_users("bob") == []
    User.objects.filter(username="carol").delete()
    assert (found_users("trains"), warnings()) == (["alice"], [])


def lose_triggers(alice):
    drop_triggers()


def lose_rows(alice):
    drop_triggers()
    Post.objects.create(author=alice, body="unknown to the index")
    restore_triggers()


def keep_deleted_rows(alice):
    drop_triggers()
    alice.posts.all().delete()
    restore_triggers()


def lose_table(alice):
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {words_table(Post)}")


def restore_triggers():
    """Create the triggers again without an index of what was written meanwhile."""
    backend = search_index.backend_for(connection)
    with connection.cursor() as cursor:
        for model in MODELS:
            for statement in backend.build_statements(model._meta.db_table, words_table(model)):
                if "CREATE TRIGGER" in statement or "REPLACE TRIGGER" in statement:
                    cursor.execute(statement)


@pytest.mark.parametrize("damage", [lose_triggers, lose_rows, keep_deleted_rows, lose_table])
@pytest.mark.parametrize("repair", [migrate, rebuild])
def test_check_notices_damage_until_it_is_repaired(alice, damage, repair):
    Post.objects.create(author=alice, body="train")
    assert warnings() == []
    damage(alice)
    assert words_table(Post) in warnings()[0]
    repair()
    assert warnings() == []


@pytest.mark.sqlite
def test_row_that_index_does_not_know_can_be_deleted_after_repair(alice):
    lose_rows(alice)
    with pytest.raises(utils.DatabaseError, match="malformed"):
        alice.posts.all().delete()
    rebuild()
    alice.posts.all().delete()
    assert (alice.posts.count(), warnings()) == (0, [])


def test_complete_index_is_left_alone(alice):
    with CaptureQueriesContext(connection) as queries:
        migrate()
    writes = re.compile("INSERT|UPDATE|DELETE|CREATE|DROP|LOCK")
    assert [query["sql"] for query in queries if writes.match(query["sql"].strip())] == []
