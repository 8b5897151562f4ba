import pytest
from django.utils import translation

from exports import delivery
from exports.models import ErrorCode, ExportTask
from exports.progress import render_progress
from tasks import jobs

pytestmark = pytest.mark.sqlite

SPACE = "\N{NO-BREAK SPACE}"  # the thousands separator in Spanish

MAILS = {
    "es": (
        "[Microblog] Tus publicaciones del blog",
        "Hola, carol:",
        f"tus 1{SPACE}200 publicaciones",
    ),
    "zh-hans": ("[Microblog] 你的博客帖子", "carol，你好：", "你的全部 1200 条帖子"),
}
FAILURES = {
    "es": (
        "[Microblog] No se pudieron exportar tus publicaciones del blog",
        "Tardó más de lo que puede tardar",
    ),
    "zh-hans": ("[Microblog] 你的博客帖子未能导出", "用时超过了一次导出允许的时间"),
}
PAGES = {
    "es": (
        "Tus exportaciones",
        f"300 de 1{SPACE}200 publicaciones",
        "Estamos preparando tu archivo",
    ),
    "zh-hans": ("你的导出记录", "300 / 1200 条帖子", "正在生成你的存档"),
}
QUEUE_POSITIONS = {
    "es": ("Puesto 3 en la cola; tiempo estimado: entre 2 y 5 minutos", "0 de 1 publicación"),
    "zh-hans": ("排在第 3 位，预计还需大约 2 到 5 分钟", "0 / 1 条帖子"),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", MAILS)
def test_archive_mail_uses_owners_language(make_user, create_posts, mailoutbox, language):
    carol = make_user("carol", language=language)
    create_posts(carol, 1200)
    task = ExportTask.objects.request(carol, language="en")[0]
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    subject, greeting, number = MAILS[language]
    message = mailoutbox[-1]
    assert message.subject == subject
    for body in (message.body, message.alternatives[0].content):
        assert greeting in body
        assert number in body
        assert "posts.json" in body


@pytest.mark.django_db
@pytest.mark.parametrize("language", FAILURES)
def test_failure_mail_uses_language_of_request(alice, mailoutbox, language):
    task = ExportTask.objects.request(alice, language=language)[0]
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "")
    delivery.compose_for_owner(task.mails.get()).send()
    subject, reason = FAILURES[language]
    assert mailoutbox[-1].subject == subject
    assert reason in mailoutbox[-1].body


@pytest.mark.django_db
@pytest.mark.parametrize("language", PAGES)
def test_progress_bar_uses_owners_language(client, make_user, language):
    carol = make_user("carol", language=language)
    task = ExportTask.objects.request(carol, rows_total=1200)[0]
    task.claim()
    task.renew(300)
    client.force_login(carol)
    page = client.get("/exports/", headers={"accept-language": "en"}).content.decode()
    polled = client.get("/notifications/", headers={"accept-language": "en"}).json()[
        "notifications"
    ][0]["data"]
    title, label, text = PAGES[language]
    assert title in page
    assert label in page
    assert text in page
    assert (polled["label"], polled["text"]) == (label, text)


@pytest.mark.django_db
@pytest.mark.parametrize("language", QUEUE_POSITIONS)
def test_queue_position_is_one_translated_sentence(task, language):
    payload = task.payload() | {"rows_total": 1, "place": 3, "wait": [2, 5]}
    with translation.override(language):
        rendered = render_progress(payload)
    assert (rendered["text"], rendered["label"]) == QUEUE_POSITIONS[language]
