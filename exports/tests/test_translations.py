import pytest
from django.utils import translation

from exports import delivery, jobs
from exports.models import ErrorCode, ExportTask
from exports.progress import describe

pytestmark = pytest.mark.sqlite

SPACE = "\N{NO-BREAK SPACE}"  # between thousands in Spanish

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
LINES = {
    "es": ("Puesto 3 en la cola; tiempo estimado: entre 2 y 5 minutos", "0 de 1 publicación"),
    "zh-hans": ("排在第 3 位，预计还需大约 2 到 5 分钟", "0 / 1 条帖子"),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", MAILS)
def test_the_archive_is_mailed_in_the_owners_language(
    make_user, create_posts, mailoutbox, language
):
    carol = make_user("carol", language=language)
    create_posts(carol, 1200)
    task = ExportTask.objects.request(carol.pk, language="en")[0]
    jobs.run_export(str(task.pk), task.attempt)
    subject, greeting, number = MAILS[language]
    message = mailoutbox[-1]
    assert message.subject == subject
    for body in (message.body, message.alternatives[0].content):
        assert greeting in body
        assert number in body
        assert "posts.json" in body


@pytest.mark.django_db
@pytest.mark.parametrize("language", FAILURES)
def test_a_failure_is_mailed_in_the_language_that_the_request_was_made_in(
    alice, mailoutbox, language
):
    task = ExportTask.objects.request(alice.pk, language=language)[0]
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "")
    delivery.send(task.mails.get())
    subject, reason = FAILURES[language]
    assert mailoutbox[-1].subject == subject
    assert reason in mailoutbox[-1].body


@pytest.mark.django_db
@pytest.mark.parametrize("language", PAGES)
def test_the_bar_has_the_readers_words_on_the_page_and_in_what_the_browser_polls(
    client, make_user, language
):
    carol = make_user("carol", language=language)
    task = ExportTask.objects.request(carol.pk, rows_total=1200)[0]
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
@pytest.mark.parametrize("language", LINES)
def test_the_place_in_line_reads_as_one_sentence(task, language):
    facts = task.facts() | {"rows_total": 1, "place": 3, "wait": [2, 5]}
    with translation.override(language):
        described = describe(facts)
    assert (described["text"], described["label"]) == LINES[language]
