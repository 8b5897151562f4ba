from django.db import migrations, models

TABLES = ("blog_post", "blog_user")


def drop_search_index(apps, schema_editor):
    """Drop the index of words that triggers normalised or, backwards, the one that replaces it.

    `blog.search.index.install` creates the other one after the migrations.
    """
    is_sqlite = schema_editor.connection.vendor == "sqlite"
    triggers = ("added", "removed", "changed") if is_sqlite else ("emptied", "changed")
    for table in TABLES:
        for trigger in triggers:
            schema_editor.execute(
                f"DROP TRIGGER IF EXISTS {table}_words_{trigger}"
                + ("" if is_sqlite else f" ON {table}")
            )
        schema_editor.execute(f"DROP TABLE IF EXISTS {table}_words")


class Migration(migrations.Migration):

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("blog", "0020_imported_posts"),
    ]

    operations = [
        migrations.RunPython(drop_search_index, migrations.RunPython.noop),
        migrations.AddField(
            model_name="post",
            name="search_text",
            field=models.TextField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="search_text",
            field=models.TextField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="post",
            index=models.Index(
                condition=models.Q(("search_text", None)),
                fields=["id"],
                name="blog_post_unindexed",
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("search_text", None)),
                fields=["id"],
                name="blog_user_unindexed",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, drop_search_index),
    ]
