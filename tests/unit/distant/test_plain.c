/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <string.h>

#include "base/source.h"
#include "distant/plain.h"
#include "wire/utf8.h"

enum { ROOM = 1 << 20 };

static const struct {
    const char *text, *plain;
} cases[] = {
    /* Not markup: left alone. */
    {"", ""},
    {"Hello", "Hello"},
    {"1 < 2 && 3 > 2", "1 < 2 && 3 > 2"},
    {"AT&amp;T", "AT&amp;T"},
    {"list<int> x;", "list<int> x;"},
    {"<3 <3", "<3 <3"},
    {"a <b without end", "a <b without end"},
    {"two\n  lines", "two\n  lines"},
    {"<joe@example.org>", "<joe@example.org>"},
    /* Qt. */
    {"<b>bold</b>", "bold"},
    {"<span style=\"color:#ff0000;\">red</span> text", "red text"},
    {"<html><head><meta name=\"qrichtext\" content=\"1\" /><style type=\"text/css\">\np, li { white-space: "
     "pre-wrap; }\n"
     "</style></head><body style=\" font-family:'Sans';\">\n<p "
     "style=\"margin:0;\">one</p>\n<p>two</p></body></html>",
     "one\ntwo"},
    {"<p>one</p><p><br /></p><p>two</p>", "one\n\ntwo"},
    {"one<br>two<br/>three<BR />four", "one\ntwo\nthree\nfour"},
    {"<ul><li>a</li><li>b</li></ul>after", "a\nb\nafter"},
    {"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
    {"<p>a  b\n c</p>", "a  b  c"},
    {"<b>\n\t x</b>", " x"},
    /* What must not be shown. */
    {"<p>a</p><script>alert(\"<p>b</p>\")</script>c", "a\nc"},
    {"<b>a</b><STYLE>x</STYLE >b", "ab"},
    {"<b>a</b><script>never ends", "a"},
    {"<b>a</b><!-- <p>hidden</p> -->b<!DOCTYPE html><?xml ?>", "ab"},
    {"<b>a</b><!-- never ends <i>b</i>", "a<!-- never ends <i>b</i>"},
    {"<b title=\"a > b\">c</b>", "c"},
    {"<b title='a > b' x = y>c</b>", "c"},
    {"<b>c</b><i =", "c<i ="},
    {"<b>c</b><i title=\"never ends>d</i>", "c<i title=\"never ends>d</i>"},
    {"<img src=\"data:image/png;base64,AAAA\"/>a<unknown>b</unknown>", "ab"},
    {"<b>1 < 2</b> <3", "1 < 2 <3"},
    {"<b></b>", ""},
    /* Entities. */
    {"<b>&lt;b&gt; &amp;amp; &quot;&apos;&nbsp;x</b>", "<b> &amp; \"' x"},
    {"<b>&#65;&#x42;&#x1F600;&euro;</b>", "AB\xf0\x9f\x98\x80\xe2\x82\xac"},
    {"<b>&#0;&#7;&#xD800;&#x110000;&#xFFFFFFF;</b>",
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"<b>&#10;&#13;x</b>", "  x"},
    {"<b>&unknown; &lt &#; &#x; &#12345678901; &</b>", "&unknown; &lt &#; &#x; &#12345678901; &"},
    /* Links. */
    {"<a href=\"http://example.org/\">http://example.org/</a>", "http://example.org/"},
    {"<a href=\"http://example.org/?a=1&amp;b=2\">http://example.org/?a=1&amp;b=2</a>",
     "http://example.org/?a=1&b=2"},
    {"see <a class=x href='retroshare://private_chat?x=1&amp;y'>my invite</a>!",
     "see my invite <retroshare://private_chat?x=1&y>!"},
    {"<a href=\"http://evil.example/\">http://good.example/</a>",
     "http://good.example/ <http://evil.example/>"},
    {"<a href=u>t<a href=v>v</a>", "t <u>v"},
    {"<a name=\"x\">t</a>", "t"},
    {"<a href=\"\">t</a>", "t"},
    {"<a data-href=\"u\">t</a>", "t"},
    {"<a href=\"u&#10;nickname: forged\">t</a>", "t <u nickname: forged>"},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = buffer_make(strlen(cases[i].text));
        if (!chat_text_plain(&out, bytes_of_string(cases[i].text)))
            fail_msg("case %zu is longer than its text", i);
        struct bytes expected = bytes_of_string(cases[i].plain);
        if (!bytes_equal(buffer_view(&out), expected))
            fail_msg("case %zu: \"%s\"", i, buffer_string(&out));
        buffer_free(&out);
    }
}

static void bounded(void **state)
{
    (void)state;
    struct buffer out = buffer_make(8);
    assert_true(buffer_append_string(&out, "kept"));
    assert_false(chat_text_plain(&out, bytes_of_string("<b>twelve bytes</b>")));
    assert_bytes_equal(buffer_view(&out), bytes_of_string("kept"));
    buffer_clear(&out);
    assert_true(chat_text_plain(&out, bytes_of_string("<b>8 bytes!</b>")));
    buffer_free(&out);
}

/* A pass over the longest text: were it quadratic, the test would not end in time. */
static void linear(void **state)
{
    (void)state;
    static const char *const pieces[] = {"<a ",        "<b>",        "<!-- ",   "<", "&#x",
                                         "<script></", "<a href=u>", "<p x=\"", "&", "<p ="};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buffer text = buffer_make(ROOM), out = buffer_make(ROOM);
        buffer_append_string(&text, "<b>");
        while (buffer_size(&text) < ROOM - 16)
            buffer_append_string(&text, pieces[i]);
        assert_true(chat_text_plain(&out, buffer_view(&text)));
        assert_true(buffer_size(&out) <= buffer_size(&text));
        buffer_free(&text);
        buffer_free(&out);
    }
}

/* What a person wrote comes back as it was, whatever it looks like. */
static void marked_comes_back(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "<b>", "</b>", "<br/>",    "&amp;",     "&lt;",           "<",        ">",    "&", "\n", "  ", " ",
        "x",   "<p>",  "<script>", "</script>", "<a href=\"y\">", "\xc3\xbc", "<!--", "0"};
    struct random_seeded seed;
    struct random_source random = random_from_seed(&seed, 11);
    struct buffer text = buffer_make(ROOM), marked = buffer_make(ROOM), back = buffer_make(ROOM);
    size_t markup = 0;
    for (unsigned round = 0; round < 20000; round++) {
        buffer_clear(&text);
        buffer_clear(&marked);
        buffer_clear(&back);
        for (uint32_t left = random_below(&random, 12); left > 0; left--)
            buffer_append_string(&text, pieces[random_below(&random, sizeof pieces / sizeof *pieces)]);
        assert_true(chat_text_mark(&marked, buffer_view(&text)));
        markup += buffer_size(&marked) != buffer_size(&text);
        assert_true(chat_text_plain(&back, buffer_view(&marked)));
        assert_bytes_equal(buffer_view(&back), buffer_view(&text));
    }
    assert_true(markup > 1000);
    buffer_free(&text);
    buffer_free(&marked);
    buffer_free(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(marked_comes_back),
        cmocka_unit_test(bounded),
        cmocka_unit_test(linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
