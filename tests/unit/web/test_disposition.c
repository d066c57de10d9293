/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include "web/disposition.h"

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *simple, *extended;
    } rows[] = {
        {"photo.png", "photo.png", "photo.png"},
        {"two words.txt", "two words.txt", "two%20words.txt"},
        {"Gr\xc3\xbc\xc3\x9f"
         "e.txt",
         "Gr__e.txt", "Gr%C3%BC%C3%9Fe.txt"},
        {"\xf0\x9f\xa6\x80.md", "_.md", "%F0%9F%A6%80.md"},
        {"100%41.txt", "100_41.txt", "100%2541.txt"},
        {"a\"b;c\\", "attachment", "attachment"},
        {"a\"b;c'd", "a_b;c'd", "a_b%3Bc%27d"},
        {"../../etc/passwd", "passwd", "passwd"},
        {"C:\\Windows\\evil.exe", "evil.exe", "evil.exe"},
        {".bashrc", "bashrc", "bashrc"},
        {"...", "attachment", "attachment"},
        {"", "attachment", "attachment"},
        {"/", "attachment", "attachment"},
        {" . x . ", "x", "x"},
        {"a\r\nSet-Cookie: b", "aSet-Cookie_ b", "aSet-Cookie_%20b"},
        {"ex\xe2\x80\xaegpj.exe", "exgpj.exe", "exgpj.exe"},
        {"zero\xe2\x80\x8bwidth", "zerowidth", "zerowidth"},
        {"\xc2\x85next", "next", "next"},
        {"good\xff bad", "good", "good"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[1024];
        struct buffer out = buffer_make(1024);
        snprintf(expected, sizeof expected, "attachment; filename=\"%s\"; filename*=UTF-8''%s",
                 rows[i].simple, rows[i].extended);
        assert_true(disposition_write(&out, rows[i].name));
        assert_string_equal(buffer_string(&out), expected);
        buffer_free(&out);
    }
}

/* The longest names fit the buffer that answers have for it, however they are encoded. */
static void test_long_names(void **state)
{
    (void)state;
    static const char *const signs[] = {"x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\xa6\x80", "%"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        struct buffer name = buffer_make(4096), out = buffer_make(1024);
        for (unsigned j = 0; j < 900; j++)
            buffer_append_string(&name, signs[i]);
        assert_true(disposition_write(&out, buffer_string(&name)));
        buffer_free(&name);
        buffer_free(&out);
    }
    struct buffer small = buffer_make(20);
    assert_false(disposition_write(&small, "photo.png"));
    buffer_free(&small);
}

static void test_types(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"image/png", "image/png"},
        {"IMAGE/JPEG", "image/jpeg"},
        {"application/pdf", "application/pdf"},
        {"text/plain", "text/plain"},
        {"text/plain; charset=utf-7", "application/octet-stream"},
        {"text/html", "application/octet-stream"},
        {"image/svg+xml", "application/octet-stream"},
        {"application/xhtml+xml", "application/octet-stream"},
        {"text/xml", "application/octet-stream"},
        {"text/javascript", "application/octet-stream"},
        {"multipart/x-mixed-replace", "application/octet-stream"},
        {"image/png\r\nX: y", "application/octet-stream"},
        {"", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(disposition_type(rows[i][0]), rows[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
