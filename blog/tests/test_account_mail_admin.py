import pytest

from blog.models import AccountMail
from tasks.models import MailStatus

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LIST = "/admin/blog/accountmail/"
LINK = "https://microblog.example/accounts/password/reset/key/secret-key/"


@pytest.fixture
def mail(alice):
    """Create a mail with a link that opens alice's account, refused by her mail server."""
    return AccountMail.objects.create(
        user=alice,
        to=alice.email,
        subject="Reset your secret password",
        text=LINK,
        html=f'<a href="{LINK}">Reset</a>',
        status=MailStatus.GAVE_UP,
        tries=1,
        error=f"550 <{alice.email}> no such mailbox",
    )


@pytest.fixture
def get_page(client, support):
    client.force_login(support)

    def get(path):
        response = client.get(LIST + path)
        assert response.status_code == 200, path
        return response.content.decode()

    return get


def test_account_mail_list_shows_state_and_error(get_page, mail):
    page = get_page("?status__exact=GAVE_UP&q=alice")
    assert "Given up (1 try)" in page
    assert "550 &lt;…&gt; no such mailbox" in page
    assert "alice" in page
    assert "Given up (1 try)" not in get_page("?q=bob")


def test_account_mail_pages_hide_text_and_address(get_page, mail):
    for path in ("", f"{mail.pk}/change/", f"{mail.pk}/history/", f"?q={mail.pk}"):
        page = get_page(path)
        assert "secret" not in page, path
        assert mail.to not in page, path


@pytest.mark.parametrize(
    "query",
    [
        "text__startswith=https",
        "text__contains=secret-key",
        "html__contains=secret-key",
        "subject=Reset",
        "to__startswith=alice",
        "user__password__startswith=a",
        "about__body__startswith=a",
    ],
)
def test_account_mail_text_cannot_be_guessed(client, staff, mail, query):
    client.force_login(staff)
    assert client.get(f"{LIST}?{query}").status_code == 400
    assert client.get(f"{LIST}?q=secret-key").content.decode().count("Given up (1 try)") == 0


def test_account_mail_without_user_shows_no_recipient(get_page, mail):
    AccountMail.objects.update(user=None)
    assert "alice" not in get_page("") + get_page(f"{mail.pk}/change/")


def test_account_mails_require_their_permission(client, staff_without_permissions, mail):
    client.force_login(staff_without_permissions)
    assert client.get(LIST).status_code == 403
