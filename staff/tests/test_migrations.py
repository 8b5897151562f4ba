import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE = [("exports", "0006_durable_tasks")]


def migrate(targets):
    """Migrate to the targets and return the models of that time."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.fixture
def old_models(transactional_db):
    """Go back to the time when self-tests belonged to exports, and return to today at the end."""
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    yield migrate(BEFORE)
    migrate(latest)


def test_self_tests_move_with_their_rows(old_models):
    old = old_models.get_model("exports", "SelfTest").objects.create(
        mail_to="ops@microblog.example", verdict="All links hold.", passed=True
    )
    assert "exports_selftest" in connection.introspection.table_names()
    new_models = migrate([("staff", "0001_initial"), ("exports", "0008_mail_roles")])
    moved = new_models.get_model("staff", "SelfTest").objects.get()
    assert (moved.pk, moved.verdict, moved.passed) == (old.pk, "All links hold.", True)
    assert "exports_selftest" not in connection.introspection.table_names()
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "staff_selftest")
    assert "staff_selftest_age" in constraints
    group = new_models.get_model("auth", "Group").objects.get(name="Support")
    codenames = set(group.permissions.values_list("codename", flat=True))
    assert {"view_exportmail", "view_accountmail"} <= codenames
