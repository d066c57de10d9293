/* SPDX-License-Identifier: ISC */
#ifndef MIME_TEST_H
#define MIME_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mime/mime.h"

/* An account "alice" with the contact "bob", and how bob's gateway sees both. */

static const uint8_t alice_key[20] = {0xaa, 0xaa, 1}, bob_key[20] = {0xbb, 0xbb, 2};
static const char alice_wire[] = "aaaa010000000000000000000000000000000000@distant.alt";
static const char bob_wire[] = "bbbb020000000000000000000000000000000000@distant.alt";

__attribute__((unused)) static bool fingerprint_of(void *arg, const char *address, uint8_t fingerprint[20])
{
    (void)arg;
    if (strcasecmp(address, "bob@distant.alt") == 0)
        memcpy(fingerprint, bob_key, 20);
    else if (strcasecmp(address, "alice@distant.alt") == 0)
        memcpy(fingerprint, alice_key, 20);
    else
        return false;
    return true;
}

__attribute__((unused)) static void person_of(void *arg, const uint8_t fingerprint[20],
                                              struct mime_person *out)
{
    (void)arg;
    *out = (struct mime_person){.address = ""};
    if (memcmp(fingerprint, alice_key, 20) == 0) {
        snprintf(out->address, sizeof out->address, "alice@distant.alt");
        snprintf(out->name, sizeof out->name, "Alice \xc3\x84");
    } else if (memcmp(fingerprint, bob_key, 20) == 0) {
        snprintf(out->address, sizeof out->address, "bob@distant.alt");
    } else {
        char hex[41];
        hex_lower(hex, fingerprint, 20);
        snprintf(out->address, sizeof out->address, "%s@distant.alt", hex);
    }
}

__attribute__((unused)) static bool person_of_hash(void *arg, const uint8_t hash[20], struct mime_person *out)
{
    if (hash[0] != 0x0b)
        return false;
    person_of(arg, bob_key, out);
    return true;
}

__attribute__((unused)) static struct mime_people people_make(void)
{
    return (struct mime_people){.domain = "distant.alt",
                                .fingerprint_of = fingerprint_of,
                                .person_of = person_of,
                                .person_of_hash = person_of_hash,
                                .id_key = {7}};
}

__attribute__((unused)) static struct mime_person alice_make(void)
{
    return (struct mime_person){.address = "alice@distant.alt", .name = "Alice \xc3\x84"};
}

__attribute__((unused)) static struct mime_arrival arrival_make(const struct mime_people *people)
{
    return (struct mime_arrival){.people = people,
                                 .from = {.address = "alice@distant.alt", .name = "Alice"},
                                 .fingerprint = {0xaa, 0xaa, 1},
                                 .verdict = "signed",
                                 .verdict_text = "signed by \"Alice\"",
                                 .protection = "sealed",
                                 .level = "private",
                                 .gateway = "gate.example",
                                 .received_ms = 1700000500000,
                                 .sent_ms = 1700000400000,
                                 .own_address = "bob@distant.alt",
                                 .message_id = "fallback@distant.alt"};
}

enum { OWN_LIMIT = 40 << 20 };

/* Submitted by alice at a fixed time. */
__attribute__((unused)) static bool submit(struct buffer *own, struct mime_summary *summary,
                                           struct bytes message, struct error **error)
{
    static const struct mime_person sender = {.address = "alice@distant.alt", .name = "Alice"};
    struct mime_people people = people_make();
    const struct mime_submission submission = {.sender = &sender,
                                               .people = &people,
                                               .now_ms = 1700000000000,
                                               .message_id = "00112233445566778899aabbccddeeff@distant.alt"};
    *own = buffer_make(OWN_LIMIT);
    bool good = mime_submit(own, summary, &submission, message, error);
    if (!good)
        buffer_free(own);
    return good;
}

__attribute__((unused)) static struct buffer submitted(const char *message)
{
    struct buffer own;
    struct mime_summary summary;
    struct error *error = NULL;
    if (!submit(&own, &summary, bytes_of_string(message), &error))
        fail_msg("%s", error->text);
    mime_summary_free(&summary);
    return own;
}

__attribute__((unused)) static struct buffer content_of(struct bytes own)
{
    static const uint8_t key[] = {0x99, 1, 2, 3};
    struct mime_people people = people_make();
    struct buffer content = buffer_make(OWN_LIMIT);
    struct error *error = NULL;
    if (!mime_content(&content, &people, bytes_of(key, sizeof key), own, &error))
        fail_msg("%s", error->text);
    return content;
}

__attribute__((unused)) static struct buffer received(struct bytes content)
{
    struct mime_people people = people_make();
    struct mime_arrival arrival = arrival_make(&people);
    struct buffer own = buffer_make(OWN_LIMIT);
    struct mime_summary summary;
    struct error *error = NULL;
    if (!mime_receive_sealed(&own, &summary, &arrival, content, &error))
        fail_msg("%s", error->text);
    mime_summary_free(&summary);
    return own;
}

__attribute__((unused)) static bool has(struct buffer *text, const char *part)
{
    return strstr(buffer_string(text), part) != NULL;
}

#define assert_has(text, part)                                                                               \
    do {                                                                                                     \
        if (!has(text, part))                                                                                \
            fail_msg("no \"%s\" in:\n%s", part, buffer_string(text));                                        \
    } while (0)
#define assert_has_not(text, part)                                                                           \
    do {                                                                                                     \
        if (has(text, part))                                                                                 \
            fail_msg("\"%s\" in:\n%s", part, buffer_string(text));                                           \
    } while (0)

__attribute__((unused)) static int start(void **state)
{
    (void)state;
    return mime_start(NULL) ? 0 : -1;
}

#endif
