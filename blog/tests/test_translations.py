import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

HOME = {"es": "Publicaciones más recientes", "zh-CN": "最新帖子", "fr": "Newest posts"}
PROFILE = {"es": "Exportar tus publicaciones", "zh-hans": "导出你的帖子"}


@pytest.mark.parametrize(("accepted", "words"), HOME.items())
def test_visitor_gets_browsers_language(client, accepted, words):
    assert words in client.get("/", headers={"accept-language": accepted}).content.decode()


@pytest.mark.parametrize(("chosen", "words"), PROFILE.items())
def test_users_language_wins_over_browsers(client, make_user, chosen, words):
    client.force_login(make_user("carol", language=chosen))
    page = client.get("/@carol/", headers={"accept-language": "en"}).content.decode()
    assert f'<html lang="{chosen}"' in page
    assert words in page
    assert "Export your posts" not in page


def test_form_errors_are_translated(client, make_user):
    client.force_login(make_user("carol", language="es"))
    page = client.post("/posts/", {"body": "x" * 501}).content.decode()
    assert "Tu publicación tiene 501 caracteres; se permiten 500." in page


def test_dates_follow_the_language(client, make_user):
    carol = make_user("carol", language="es")
    baker.make(Post, author=carol, created_at="2024-03-01T12:00:00Z")
    client.force_login(carol)
    assert "1 de marzo de 2024" in client.get("/@carol/").content.decode()
