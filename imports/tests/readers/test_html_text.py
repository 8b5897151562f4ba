import time

import pytest

from imports.readers.html_text import UnreadableHtml, html_to_text

MENTIONS = {("tove", "far.example"): "@tove@far.example", ("tove", "b.example"): "@tove@b.example"}


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<p>One</p>\n<p>Two</p>\n", "One\n\nTwo"),
        ("<p>One<br>two<br />three</p>", "One\ntwo\nthree"),
        ("One<br>\ntwo", "One\ntwo"),
        ("<p>One<br><br>two</p>", "One\n\ntwo"),
        ("<p>two  spaces\nand a wrap</p>", "two  spaces and a wrap"),
        ("<p>a<br>  indented</p>", "a\n  indented"),
        ("<p>&lt;b&gt; &amp;amp; &#39;</p>", "<b> &amp; '"),
        ("plain text", "plain text"),
        ("", ""),
        ("<p>a <strong>b</strong> <em>c</em> <del>d</del> <code>e</code></p>", "a b c d e"),
        ("<h1>Title</h1><p>text</p>", "Title\n\ntext"),
        ("<p>a</p><blockquote><p>b</p><p>c</p></blockquote><p>d</p>", "a\n\n> b\n>\n> c\n\nd"),
        ("<p>a</p><ul><li>b</li><li>c</li></ul><p>d</p>", "a\n\n- b\n- c\n\nd"),
        ("<ul><li><p>b</p></li><li><p>c</p></li></ul>", "- b\n- c"),
        ("<ol><li>b</li><li>c</li></ol>", "1. b\n2. c"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<pre><code>if x:\n    y\n\nz</code></pre>", "if x:\n    y\n\nz"),
        ("<p>x</p><script>alert(1)</script><style>p{}</style>", "x"),
        ('<p>x <img class="emoji" alt=":blob:"></p>', "x :blob:"),
        ("<p>#<span>x</span></p>", "#x"),
        ('<p class="quote-inline">RE: <a href="https://q.example/1">q.example/1</a></p><p>a</p>',
         "RE: https://q.example/1\n\na"),
        ("<div>a</div><div>b</div>", "a\nb"),
    ],
)  # fmt: skip
def test_html_becomes_text(html, text):
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ('<a href="https://n.example/a-long-path?x=1&amp;y=2"><span class="invisible">https://'
         '</span><span class="ellipsis">n.example/a-lo</span><span class="invisible">ng-path?x=1'
         "&amp;y=2</span></a>", "https://n.example/a-long-path?x=1&y=2"),
        ('<a href="https://n.example/a-long-path">n.example/a-l…</a>',
         "https://n.example/a-long-path"),
        ('<a href="https://n.example/">n.example</a>', "https://n.example/"),
        ('<a href="https://n.example/"></a>', "https://n.example/"),
        ('<a href="https://n.example/">my blog</a>', "my blog (https://n.example/)"),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        ('<a href="http://[broken">click</a>', "click (http://[broken)"),
        ("<a>click</a>", "click"),
        ('<a href="https://o.example/tags/Rain" class="mention hashtag" rel="tag">#<span>Rain'
         "</span></a>", "#Rain"),
        ('<a href="https://o.example/tag/rain" rel="tag nofollow">rain</a>', "rain"),
        ('<span class="h-card"><a href="https://far.example/@tove" class="u-url mention">@<span>'
         "tove</span></a></span>", "@tove@far.example"),
        ('<a href="https://b.example/@Tove" class="mention">@<span>Tove</span></a>',
         "@tove@b.example"),
        ('<a href="https://far.example/@tove" class="mention">@tove@far.example</a>',
         "@tove@far.example"),
        ('<a href="https://c.example/@tove" class="mention">@<span>tove</span></a>', "@tove"),
    ],
)  # fmt: skip
def test_link_becomes_text(link, text):
    assert html_to_text(f"<p>{link}</p>", MENTIONS) == text


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 200,
        "<div>" * 200 + "</div>" * 200,
        "<a " + " ".join(f"a{number}=1" for number in range(2000)) + ">",
        "x" * 200_001,
    ],
    ids=["unclosed", "nested", "attributes", "long"],
)
def test_html_that_no_post_has_is_refused(html):
    with pytest.raises(UnreadableHtml):
        html_to_text(html)


@pytest.mark.parametrize(
    "html",
    [
        "<b><p>" * 49,
        "<table><td>" * 49,
        "<p>" * 99,
        "<svg><desc>" * 49,
        "</p>" * 9000,
        "<br>" * 40_000,
        "<li>x</li>" * 15_000,
        "&amp" * 40_000,
    ],
)
def test_strange_html_takes_little_time(html):
    started = time.process_time()
    html_to_text(html)
    assert time.process_time() - started < 1


def test_numeric_surrogate_can_be_stored():
    html_to_text("<p>&#xD800;&#0;x</p>").encode()
