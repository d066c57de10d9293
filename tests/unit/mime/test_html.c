/* SPDX-License-Identifier: ISC */
#include "mime_test.h"

static void safe(const char *html, const char *expected)
{
    struct buffer out = buffer_make(1 << 20);
    assert_true(mime_html_safe(&out, bytes_of_string(html)));
    assert_string_equal(buffer_string(&out), expected);
    buffer_free(&out);
}

static void text(const char *html, const char *expected)
{
    struct buffer out = buffer_make(1 << 20);
    assert_true(mime_html_text(&out, bytes_of_string(html)));
    assert_string_equal(buffer_string(&out), expected);
    buffer_free(&out);
}

static void test_safe(void **state)
{
    (void)state;
    safe("<p>a <b>b</b></p>", "<p>a <b>b</b></p>");
    safe("a &lt;b&gt; &amp; \"c\"", "<p>a &lt;b&gt; &amp; &quot;c&quot;</p>");
    safe("<p onclick=x id=y class=z style=\"color: red; background: url(http://x); position:fixed\">a</p>",
         "<p style=\"color:red\">a</p>");
    safe("<p style=\"color:expression(alert(1));font-weight:600\">a</p>",
         "<p style=\"font-weight:600\">a</p>");
    safe("<p>a<script>alert(1)</script><style>p{}</style><iframe src=x>y</iframe>b</p>", "<p>ab</p>");
    safe("<svg><a href='https://x/'>a</a></svg><p>b</p>", "<p>b</p>");
    safe("<form action=x><p>a<input name=b></p></form>", "<p>a</p>");
    safe("<p><b>never closed", "<p><b>never closed</b></p>");
    safe("", "");
}

static void test_links(void **state)
{
    (void)state;
    static const char rel[] = " rel=\"noopener noreferrer nofollow\">x</a></p>";
    static const char *const good[] = {"https://x.example/?a=1", "HTTP://x", "mailto:a@b",
                                       "retroshare://file?x"};
    static const char *const bad[] = {
        "javascript:alert(1)", "java&#10;script:x", " https://x", "data:text/html,x", "//x",
        "vbscript:x",          "file:///x",         "ftp://x",    "&#1;javascript:x", "cid:x"};
    char html[256], expected[256];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(html, sizeof html, "<p><a href=\"%s\" onclick=y>x</a></p>", good[i]);
        snprintf(expected, sizeof expected, "<p><a href=\"%s\"%s", good[i], rel);
        safe(html, expected);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(html, sizeof html, "<p><a href=\"%s\">x</a></p>", bad[i]);
        safe(html, "<p><a>x</a></p>");
    }
}

static void test_pictures(void **state)
{
    (void)state;
    safe("<p><img src=\"cid:a@b\" alt=\"A&quot;\" width=3></p>",
         "<p><img src=\"cid:a@b\" alt=\"A&quot;\" width=\"3\"></p>");
    safe("<p><img src=\"data:image/png;base64,AA==\"></p>",
         "<p><img src=\"data:image/png;base64,AA==\"></p>");
    safe("<p><img src=\"http://x/pixel.gif\" alt=\"&lt;a&gt;\"></p>", "<p>&lt;a&gt;</p>");
    safe("<p><img src=\"data:image/svg+xml;base64,AA==\"></p>", "<p></p>");
    safe("<p background=\"http://x\">a</p>", "<p>a</p>");
}

static void test_text(void **state)
{
    (void)state;
    text("<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree\n");
    text("<ul><li>a</li><li>b</li></ul><ol><li>c<li>d</ol>", "- a\n- b\n1. c\n2. d\n");
    text("see <a href=\"https://x.example/\">this</a>, <a href=\"https://y.example\">https://y.example</a>",
         "see this <https://x.example/>, https://y.example\n");
    text("<a href=\"mailto:a@b\">a@b</a> <a href=\"javascript:x\">y</a>", "a@b y\n");
    text("<pre>a\n  b</pre>", "a\n  b\n");
    text("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3\n");
    text("<style>x</style><script>y</script><title>z</title>a &amp; b &euro;&nbsp;c",
         "a & b \xe2\x82\xac c\n");
    text("plain", "plain\n");
    text("", "");
}

/* What is built to be slow or deep is shown as text. */
static void test_bombs(void **state)
{
    (void)state;
    struct buffer html = buffer_make(4 << 20), out = buffer_make(32 << 20);
    for (unsigned i = 0; i < 100000; i++)
        buffer_append_string(&html, "<b>");
    buffer_append_string(&html, "deep");
    for (unsigned i = 0; i < 100000; i++)
        buffer_append_string(&html, "</i>");
    assert_true(mime_html_safe(&out, buffer_view(&html)));
    assert_string_equal(buffer_string(&out), "<pre>deep\n</pre>");
    buffer_clear(&html);
    buffer_clear(&out);
    buffer_append_string(&html, "<p>before<a ");
    for (unsigned i = 0; i < 100000; i++)
        buffer_printf(&html, "a%x ", i);
    buffer_append_string(&html, ">after</a>");
    assert_true(mime_html_safe(&out, buffer_view(&html)));
    assert_string_equal(buffer_string(&out), "<pre>before after\n</pre>");
    buffer_clear(&html);
    buffer_clear(&out);
    buffer_append_string(&html,
                         "<!DOCTYPE x [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><p>&b;&b;</p>");
    assert_true(mime_html_text(&out, buffer_view(&html)));
    assert_true(buffer_size(&out) < 64);
    buffer_free(&html);
    buffer_free(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe), cmocka_unit_test(test_links), cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_text), cmocka_unit_test(test_bombs),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
