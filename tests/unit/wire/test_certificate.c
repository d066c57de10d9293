/* SPDX-License-Identifier: ISC */
#include "wire_test.h"

#include "wire/certificate.h"
#include "wire/host.h"
#include "wire/radix64.h"

enum { ROOM = 4 * FRIEND_TEXT_MAX };

static void parse(struct friend_text *out, struct bytes text)
{
    struct error *error = NULL;
    struct bytes copy = heap_copy(text);
    if (!friend_text_parse(out, copy, &error))
        fail_msg("%s", error->text);
    free((void *)copy.data);
}

static void refused(struct bytes text, const char *reason)
{
    struct error *error = NULL;
    struct friend_text out;
    struct bytes copy = heap_copy(text);
    assert_false(friend_text_parse(&out, copy, &error));
    assert_non_null(error);
    if (strstr(error->text, reason) == NULL)
        fail_msg("expected \"%s\", got \"%s\"", reason, error->text);
    assert_null(out.memory.memory);
    error_free(error);
    free((void *)copy.data);
}

static struct buffer radix(const char *hex)
{
    struct buffer records = hex_buffer(hex), text = buffer_make(ROOM);
    assert_true(radix64_encode(&text, buffer_view(&records)));
    buffer_free(&records);
    return text;
}

/* Adds the checksum record to records in hex; gives the base64 text. */
static struct buffer with_checksum(const char *hex, uint8_t tag)
{
    struct buffer records = hex_buffer(hex), text = buffer_make(ROOM);
    records.ceiling = ROOM;
    uint32_t crc = crc24(buffer_view(&records));
    const uint8_t record[] = {tag, 3, (uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16)};
    assert_true(buffer_append(&records, record, sizeof(record)));
    assert_true(radix64_encode(&text, buffer_view(&records)));
    buffer_free(&records);
    return text;
}

static void refused_records(const char *hex, uint8_t checksum_tag, const char *reason)
{
    struct buffer text = checksum_tag != 0 ? with_checksum(hex, checksum_tag) : radix(hex);
    refused(buffer_view(&text), reason);
    buffer_free(&text);
}

static void check_address(const struct ip_address *address, const char *expected)
{
    char text[64];
    assert_int_equal(address->family, 4);
    snprintf(text, sizeof(text), "%u.%u.%u.%u:%u", address->bytes[0], address->bytes[1], address->bytes[2],
             address->bytes[3], address->port);
    assert_string_equal(text, expected);
}

static void check_location(const struct friend_text *text, const char *expected)
{
    char hex[33];
    assert_true(text->has_location);
    hex_lower(hex, text->location, sizeof(text->location));
    assert_string_equal(hex, expected);
}

static void check_same_text(const struct friend_text *text, struct bytes expected)
{
    struct buffer out = buffer_make(ROOM);
    assert_true(text->is_short ? friend_text_write_short(&out, text)
                               : friend_text_write_full(&out, text, false));
    assert_bytes_equal(buffer_view(&out), expected);
    buffer_free(&out);
}

static void test_crc24(void **state)
{
    (void)state;
    assert_int_equal(crc24(bytes_of(NULL, 0)), 0xb704ce);
    assert_int_equal(crc24(bytes_of_string("123456789")), 0x21cf02);
}

/* --- the worked examples: protocol 11 §2.2, A.2, 10 A.3 */

static const char short_example[] =
    "ABBeOvvjtrmocA7/QTq0Akr9AxRm8XvRI3cKcRGU6m9TWvNKPd38mwEJVGVzdCBOb2RlkwYKAajAHoSSBgVxAMsehAQDesoT";

static const char full_example[] =
    "CQEGAcGdmQENBGsEMGoBCADbiY7tUjQSU30XEozF1nC0SmxGlZv56QGtr6G08jpzdMTtMBEvIXUC"
    "BB0Pp5iAAmo9uf/Ai3D3je1bic3uKvxlkc1HDnpNb4RMMZvtTC4J20CAais14aMPUwHmMm1q8lMj"
    "3SIbI277UoTwICMv84WbV+AKecjUp0iu66F9dSxp8NmY3/gZNHc0DyOC/ngyJgSoogK/iIKS8Hwg"
    "neQ3VDMkFf4QF3lRXy6XWdkzTaGHA99DHcQb8LK8hm22l3n0CnQHgnDxBmDL+VvIx4TPtSRgRYgs"
    "lo5sw1pc8dyeDFd9wYNKzzMqzl6xN4ugLXUwl9K32DcYTip8U8WbUQQXXz33ABEBAAG0JlRlc3Qg"
    "Tm9kZSAoR2VuZXJhdGVkIGJ5IFJldHJvU2hhcmUpIDw+iQEiBBMBCAAWBQJrBDBqCRBTWvNKPd38"
    "mwIbAwIZAQAAYo4IAKiimmPpy7VhSSGUHjHajZ8selERCjf2+ZhWIAGsHA7nnyMrWhfZqH8udjhh"
    "QzYptzwxOh/bUpYU2lgDAeG06lY2Sy667vNeVcsdoUAereTG9KF9K/xGBOajDLoo6rT7MuCVXxiB"
    "ynKufkZEc6lwCWBIajVhzffYpjquAEJk7pplD2c589Qsuk5Agla3ZKkgz6loRCZRc2YPNFx6DWBT"
    "bApMaG8nBddxvCpmZHCNlUFlCvv/hponqA5j6rDVktkblVxtAZUSPMt9XzA/5CuTYv9bGQfn0LCG"
    "tlHFyXB1S4cqaN/wOF18A7bzCSNrMNujQ8+C59FiDPFKKSFQ4QjwHrECBssAcQUehAMGwKgBCh6E"
    "BgRob21lBRBeOvvjtrmocA7/QTq0Akr9BwPUt2E=";

static const char old_example[] = "Af8AAAJdmQENBGsEMGoBCADbiY7tUjQSU30XEozF1nC0SmxGlZv56QGtr6G08jpz\n"
                                  "dMTtMBEvIXUCBB0Pp5iAAmo9uf/Ai3D3je1bic3uKvxlkc1HDnpNb4RMMZvtTC4J\n"
                                  "20CAais14aMPUwHmMm1q8lMj3SIbI277UoTwICMv84WbV+AKecjUp0iu66F9dSxp\n"
                                  "8NmY3/gZNHc0DyOC/ngyJgSoogK/iIKS8HwgneQ3VDMkFf4QF3lRXy6XWdkzTaGH\n"
                                  "A99DHcQb8LK8hm22l3n0CnQHgnDxBmDL+VvIx4TPtSRgRYgslo5sw1pc8dyeDFd9\n"
                                  "wYNKzzMqzl6xN4ugLXUwl9K32DcYTip8U8WbUQQXXz33ABEBAAG0JlRlc3QgTm9k\n"
                                  "ZSAoR2VuZXJhdGVkIGJ5IFJldHJvU2hhcmUpIDw+iQEiBBMBCAAWBQJrBDBqCRBT\n"
                                  "WvNKPd38mwIbAwIZAQAAYo4IAKiimmPpy7VhSSGUHjHajZ8selERCjf2+ZhWIAGs\n"
                                  "HA7nnyMrWhfZqH8udjhhQzYptzwxOh/bUpYU2lgDAeG06lY2Sy667vNeVcsdoUAe\n"
                                  "reTG9KF9K/xGBOajDLoo6rT7MuCVXxiBynKufkZEc6lwCWBIajVhzffYpjquAEJk\n"
                                  "7pplD2c589Qsuk5Agla3ZKkgz6loRCZRc2YPNFx6DWBTbApMaG8nBddxvCpmZHCN\n"
                                  "lUFlCvv/hponqA5j6rDVktkblVxtAZUSPMt9XzA/5CuTYv9bGQfn0LCGtlHFyXB1\n"
                                  "S4cqaN/wOF18A7bzCSNrMNujQ8+C59FiDPFKKSFQ4QjwHrECBssAcQUehAMGwKgB\n"
                                  "Ch6EBAAGBGhvbWUFEE45ru3Gb5DEGmvOQ98nUtk=\n";

static void test_short_example(void **state)
{
    (void)state;
    struct friend_text text;
    parse(&text, bytes_of_string(short_example));
    assert_true(text.is_short);
    check_location(&text, "5e3afbe3b6b9a8700eff413ab4024afd");
    char hex[41];
    assert_true(text.has_fingerprint);
    hex_upper(hex, text.fingerprint, sizeof(text.fingerprint));
    assert_string_equal(hex, "66F17BD123770A711194EA6F535AF34A3DDDFC9B");
    assert_string_equal(text.name, "Test Node");
    check_address(&text.local4, "192.168.1.10:7812");
    check_address(&text.external4, "203.0.113.5:7812");
    check_same_text(&text, bytes_of_string(short_example));
    friend_text_free(&text);
}

static void test_full_example(void **state)
{
    (void)state;
    struct friend_text text;
    parse(&text, bytes_of_string(full_example));
    assert_false(text.is_short);
    assert_false(text.has_fingerprint);
    check_location(&text, "5e3afbe3b6b9a8700eff413ab4024afd");
    assert_int_equal(text.key_block.size, 605);
    assert_string_equal(text.name, "home");
    check_address(&text.local4, "192.168.1.10:7812");
    check_address(&text.external4, "203.0.113.5:7812");
    check_same_text(&text, bytes_of_string(full_example));

    struct buffer wrapped = buffer_make(ROOM);
    assert_true(friend_text_write_full(&wrapped, &text, true));
    size_t line = 0;
    for (const char *at = buffer_string(&wrapped); *at != '\0'; at++) {
        line = *at == '\n' ? 0 : line + 1;
        assert_true(line <= 64);
    }
    struct friend_text again;
    parse(&again, buffer_view(&wrapped));
    check_same_text(&again, bytes_of_string(full_example));
    friend_text_free(&again);
    buffer_free(&wrapped);
    friend_text_free(&text);
}

static void test_old_example(void **state)
{
    (void)state;
    struct friend_text text, full;
    parse(&text, bytes_of_string(old_example));
    parse(&full, bytes_of_string(full_example));
    assert_false(text.is_short);
    check_location(&text, "4e39aeedc66f90c41a6bce43df2752d9");
    assert_bytes_equal(text.key_block, full.key_block);
    assert_string_equal(text.name, "home");
    assert_string_equal(text.dns, "");
    check_address(&text.local4, "192.168.1.10:7812");
    check_address(&text.external4, "203.0.113.5:7812");
    friend_text_free(&full);
    friend_text_free(&text);
}

static void test_recorded(void **state)
{
    (void)state;
    static const char *const files[] = {"retroshare-0.6/link.json", "retroshare-0.6/short-invite.json"};
    size_t seen = 0;
    for (size_t i = 0; i < 2; i++) {
        json_t *vectors = vectors_load(files[i]), *node;
        const char *name;
        json_object_foreach(json_object_get(vectors, "nodes"), name, node)
        {
            json_t *certificate = json_object_get(node, "full_invite"),
                   *invite = json_object_get(node, "short_invite");
            struct friend_text full, brief, url;
            parse(&full, bytes_of_string(vectors_string(certificate, "text")));
            check_same_text(&full, bytes_of_string(vectors_string(certificate, "text")));
            check_location(&full, vectors_string(node, "ssl_id"));
            assert_string_equal(full.name, vectors_string(node, "location"));
            parse(&brief, bytes_of_string(vectors_string(invite, "base64")));
            parse(&url, bytes_of_string(vectors_string(invite, "url")));
            check_same_text(&brief, bytes_of_string(vectors_string(invite, "base64")));
            check_same_text(&url, bytes_of_string(vectors_string(invite, "base64")));
            check_location(&brief, vectors_string(node, "ssl_id"));
            assert_string_equal(brief.name, vectors_string(node, "name"));
            char hex[41];
            hex_upper(hex, brief.fingerprint, sizeof(brief.fingerprint));
            assert_string_equal(hex, vectors_string(node, "pgp_fingerprint"));
            friend_text_free(&url);
            friend_text_free(&brief);
            friend_text_free(&full);
            seen++;
        }
        json_decref(vectors);
    }
    assert_true(seen >= 4);
}

/* --- texts around it */

static void test_surroundings(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "  \r\n%s\r\n",
        "https://me.retroshare.cc/?rsInvite=%s",
        "https://me.retroshare.cc?a=b&rsInvite=%s&c=d",
        "  https://example.org/?rsInvite=%s#rest  ",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct buffer text = buffer_make(ROOM);
        const char *at = strstr(forms[i], "%s");
        buffer_append(&text, forms[i], (size_t)(at - forms[i]));
        buffer_append_string(&text, short_example);
        buffer_append_string(&text, at + 2);
        struct friend_text out;
        parse(&out, buffer_view(&text));
        check_same_text(&out, bytes_of_string(short_example));
        friend_text_free(&out);
        buffer_free(&text);
    }
    refused(bytes_of_string(""), "empty");
    refused(bytes_of_string(" \n"), "empty");
    refused(bytes_of_string("Hello, be my friend!"), "not base64");
    refused(bytes_of_string("https://me.retroshare.cc/?rsInvite="), "empty");
    refused(bytes_of_string("https://me.retroshare.cc/?other=1"), "not base64");
}

static void test_too_long(void **state)
{
    (void)state;
    char *text = malloc(FRIEND_TEXT_MAX + 1);
    assert_non_null(text);
    memset(text, 'A', FRIEND_TEXT_MAX + 1);
    refused(bytes_of(text, FRIEND_TEXT_MAX + 1), "longer than any");
    refused(bytes_of(text, FRIEND_TEXT_MAX), "");
    free(text);
}

/* Every bit of the text counts: the checksum of 0.6 is in both forms. */
static void test_every_change_is_seen(void **state)
{
    (void)state;
    static const char *const examples[] = {short_example, full_example};
    for (size_t i = 0; i < 2; i++) {
        struct buffer records = buffer_make(ROOM);
        assert_true(radix64_decode(&records, bytes_of_string(examples[i])));
        for (size_t at = 0; at < buffer_size(&records); at++) {
            struct buffer text = buffer_make(ROOM);
            records.memory[at] ^= 0x20;
            assert_true(radix64_encode(&text, buffer_view(&records)));
            records.memory[at] ^= 0x20;
            refused(buffer_view(&text), "");
            buffer_free(&text);
        }
        for (size_t size = 0; size < buffer_size(&records); size++) {
            struct buffer text = buffer_make(ROOM);
            assert_true(radix64_encode(&text, bytes_of(records.memory, size)));
            refused(buffer_view(&text), "");
            buffer_free(&text);
        }
        buffer_free(&records);
    }
}

#define VERSION "09 01 06 "
#define KEY     "01 02 9901 "
#define ID16    "000102030405060708090a0b0c0d0e0f "
#define ID20    "000102030405060708090a0b0c0d0e0f10111213 "
#define SHORT   "00 10 " ID16 "03 14 " ID20

static void test_refused_fields(void **state)
{
    (void)state;
    refused_records("09 01 07 " KEY, 7, "version 7");
    refused_records("09 02 0606 " KEY, 7, "version");
    refused_records(VERSION, 7, "no PGP key");
    refused_records(VERSION "01 00", 7, "PGP key");
    refused_records(VERSION KEY, 0, "no checksum");
    refused_records(VERSION KEY KEY, 7, "twice");
    refused_records(VERSION KEY VERSION, 7, "twice");
    refused_records(VERSION KEY "05 0f 000102030405060708090a0b0c0d0e", 7, "location id");
    refused_records(VERSION KEY "02 05 7f00000111", 7, "external address");
    refused_records(VERSION KEY "03 07 7f000001112233", 7, "local address");
    refused_records(VERSION KEY "04 02 610a", 7, "DNS name");
    refused_records(VERSION KEY "08 03 616263", 7, "hidden address");
    refused_records(VERSION KEY "08 03 61623a", 7, "hidden address");
    refused_records(VERSION KEY "08 05 613a303130", 7, "hidden address");
    refused_records(VERSION KEY "07 03 000000", 0, "checksum is wrong");
    refused_records(VERSION KEY "07 02 0000", 0, "checksum");
    refused_records(VERSION "07 03 000000" KEY, 0, "checksum in the text");
    refused_records("01 02 9901 0b 00", 0, "list of fields"); /* 0.5 knows no other tags */
    refused_records("00 10 " ID16, 4, "no PGP fingerprint");
    refused_records("03 14 " ID20, 4, "no location id");
    refused_records("00 0f 000102030405060708090a0b0c0d0e 03 14 " ID20, 4, "location id");
    refused_records("00 10 " ID16 "03 13 000102030405060708090a0b0c0d0e0f101112", 4, "fingerprint");
    refused_records("00 10 " ID16 "03 15 000102030405060708090a0b0c0d0e0f1011121314", 4, "fingerprint");
    refused_records(SHORT, 0, "no checksum");
    refused_records(SHORT "90 05 0000000212", 4, "hidden address");
    refused_records(SHORT "91 01 00", 4, "DNS name");
    refused_records(SHORT "92 05 0000000000", 4, "external address");
    refused_records(SHORT "00 10 " ID16, 4, "twice");
}

static void test_refused_sizes(void **state)
{
    (void)state;
    static const char *const records[] = {
        "09",
        "09 01 06 01",
        "09 01 06 01 05 99",
        "09 01 06 01 c0",
        "09 01 06 01 df ff",
        "09 01 06 01 e0 00",
        "09 01 06 01 fe 00 00",
        "09 01 06 01 ff 00000001",
        "09 01 06 01 ff ffffffff",
        "09 01 06 01 ff 7fffffff 00",
        "09 01 06 01 ff 80000000 00",
        "09 01 06 01 ff 00 00",
    };
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
        refused_records(records[i], 0, "longer than it");
}

static void test_unknown_tags_and_key_alone(void **state)
{
    (void)state;
    struct buffer text = with_checksum(VERSION KEY "0b 01 00 77 00", 7);
    struct friend_text out;
    parse(&out, buffer_view(&text));
    assert_false(out.has_location);
    assert_int_equal(out.key_block.size, 2);
    friend_text_free(&out);
    buffer_free(&text);
    text = with_checksum(SHORT "05 01 00 94 00", 4);
    parse(&out, buffer_view(&text));
    assert_true(out.is_short);
    friend_text_free(&out);
    buffer_free(&text);
}

/* --- what we write, with every field */

static void round_trip(const struct friend_text *text)
{
    struct buffer out = buffer_make(ROOM);
    assert_true(text->is_short ? friend_text_write_short(&out, text)
                               : friend_text_write_full(&out, text, false));
    struct friend_text again;
    parse(&again, buffer_view(&out));
    check_same_text(&again, buffer_view(&out));
    assert_bytes_equal(again.key_block, text->key_block);
    assert_int_equal(again.is_short, text->is_short);
    assert_string_equal(again.name, text->name);
    assert_string_equal(again.dns, text->dns);
    assert_int_equal(again.dns_port, text->dns_port);
    assert_string_equal(again.hidden, text->hidden);
    assert_int_equal(again.hidden_port, text->hidden_port);
    assert_int_equal(again.hidden_type, text->hidden_type);
    assert_memory_equal(again.location, text->location, sizeof(again.location));
    assert_memory_equal(again.fingerprint, text->fingerprint, sizeof(again.fingerprint));
    assert_int_equal(again.external4.family, text->external4.family);
    assert_int_equal(again.local4.family, text->local4.family);
    assert_int_equal(again.locator_count, text->locator_count);
    friend_text_free(&again);
    buffer_free(&out);
}

static void test_write_all_fields(void **state)
{
    (void)state;
    struct friend_text text = {
        .is_short = true,
        .has_location = true,
        .location = {1, 2, 3},
        .has_fingerprint = true,
        .fingerprint = {4, 5, 6},
        .name = "caf\xc3\xa9",
        .local4 = {4, {10, 0, 0, 1}, 4000},
        .external4 = {4, {203, 0, 113, 9}, 5000},
        .dns = "node.example.org",
        .dns_port = 5000,
        .locator_count = 2,
        .locators = {{6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 7812}, {4, {192, 0, 2, 1}, 1}},
    };
    round_trip(&text);
    struct friend_text full = text;
    static uint8_t key[9000];
    full.is_short = full.has_fingerprint = false;
    memset(full.fingerprint, 0, sizeof(full.fingerprint));
    full.dns_port = 0;
    static const size_t sizes[] = {1, 191, 192, 193, 447, 448, 8383, 8384, 9000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(key, (int)i, sizeof(key));
        full.key_block = bytes_of(key, sizes[i]);
        round_trip(&full);
    }
    struct friend_text hidden = {.is_short = true,
                                 .has_location = true,
                                 .has_fingerprint = true,
                                 .hidden = "abcdefgh.onion",
                                 .hidden_port = 65535,
                                 .hidden_type = 2};
    round_trip(&hidden);
    hidden.is_short = hidden.has_fingerprint = false;
    hidden.hidden_type = 0;
    hidden.key_block = bytes_of(key, 100);
    round_trip(&hidden);
}

static void test_write_refuses(void **state)
{
    (void)state;
    struct buffer out = buffer_make(ROOM);
    struct friend_text text = {.has_location = true};
    assert_false(friend_text_write_full(&out, &text, false));
    assert_false(friend_text_write_short(&out, &text));
    text = (struct friend_text){.has_fingerprint = true};
    assert_false(friend_text_write_short(&out, &text));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
    static const uint8_t key[300];
    text.key_block = bytes_of(key, sizeof(key));
    out = buffer_make(100);
    assert_false(friend_text_write_full(&out, &text, true));
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

static void test_locators(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t family;
    } texts[] = {
        {"ipv4://203.0.113.5:7812", 4},
        {"ipv6://[2001:db8::1]:7812", 6},
        {"ipv4://203.0.113.5", 0},
        {"ipv4://203.0.113.5:", 0},
        {"ipv4://203.0.113.5:0", 0},
        {"ipv4://203.0.113.5:65536", 0},
        {"ipv4://203.0.113.5:07812", 0},
        {"ipv4://203.0.113.5:+1", 0},
        {"ipv4://203.0.113.256:1", 0},
        {"ipv4://example.org:1", 0},
        {"ipv6://2001:db8::1:7812", 0},
        {"ipv6://[2001:db8::1:7812", 0},
        {"ipv6://[]:1", 0},
        {"tcp://203.0.113.5:1", 0},
        {"ipv4://", 0},
        {"", 0},
        {":", 0},
        {"ipv6://[:1", 0},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ip_address address;
        struct bytes copy = heap_copy(bytes_of_string(texts[i].text));
        assert_int_equal(locator_parse(&address, copy), texts[i].family != 0);
        assert_int_equal(address.family, texts[i].family);
        if (texts[i].family != 0) {
            struct buffer out = buffer_make(100);
            assert_true(locator_write(&out, &address));
            assert_bytes_equal(buffer_view(&out), copy);
            buffer_free(&out);
        }
        free((void *)copy.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc24),
        cmocka_unit_test(test_short_example),
        cmocka_unit_test(test_full_example),
        cmocka_unit_test(test_old_example),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_every_change_is_seen),
        cmocka_unit_test(test_refused_fields),
        cmocka_unit_test(test_refused_sizes),
        cmocka_unit_test(test_unknown_tags_and_key_alone),
        cmocka_unit_test(test_write_all_fields),
        cmocka_unit_test(test_write_refuses),
        cmocka_unit_test(test_locators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
