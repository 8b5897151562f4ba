from io import BytesIO

from babel.messages.pofile import read_po

from dev.check_translations import untranslated

PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\n"

#: blog/views.py:1
msgid "Complete"
msgstr "Ganz"

#: blog/views.py:2
msgid "Missing"
msgstr ""

#: blog/views.py:3
#, fuzzy
msgid "Fuzzy"
msgstr "Geraten"

#: blog/views.py:4
msgid "%(n)s post"
msgid_plural "%(n)s posts"
msgstr[0] "%(n)s Beitrag"
msgstr[1] ""

#: blog/views.py:5
msgid "by %(name)s"
msgstr "von %(nmae)s"

#: blog/views.py:6
msgid "Hello %(name)s"
msgstr "Hallo"

#: blog/views.py:7
msgid "%(n)d second"
msgid_plural "%(n)d seconds"
msgstr[0] "eine Sekunde"
msgstr[1] "%(n)d Sekunden"
"""


def test_untranslated_texts_are_listed_with_location():
    assert list(untranslated(read_po(BytesIO(PO.encode()), locale="de"))) == [
        'missing: "Missing" (blog/views.py:2)',
        'fuzzy: "Fuzzy" (blog/views.py:3)',
        'missing: "%(n)s post" (blog/views.py:4)',
        'different placeholders: "by %(name)s" (blog/views.py:5)',
        'different placeholders: "Hello %(name)s" (blog/views.py:6)',
    ]
