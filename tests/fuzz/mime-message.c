/* SPDX-License-Identifier: ISC */
/* Any bytes as a message that is submitted, and as the content of a letter that came: what is stored can be
 * read again, and what leaves names nobody. */
#include <stdlib.h>
#include <string.h>

#include "mime/mime.h"
#include "wire/utf8.h"

static bool fingerprint_of(void *arg, const char *address, uint8_t fingerprint[20])
{
    (void)arg;
    memset(fingerprint, 0xaa, 20);
    return strcmp(address, "a@distant.alt") == 0;
}

static void person_of(void *arg, const uint8_t fingerprint[20], struct mime_person *out)
{
    (void)arg;
    (void)fingerprint;
    *out = (struct mime_person){.address = "b@distant.alt", .name = "B \xc3\xa4"};
}

static const char *own_id(void *arg, const char *wire_id)
{
    (void)arg;
    return wire_id[0] == '0' ? "own@client" : NULL;
}

static void must(bool good)
{
    if (!good)
        abort();
}

/* What was stored is a message of one From, which is ours. */
static void show(struct bytes own, struct mime_summary *summary)
{
    struct mime_view view;
    must(strstr((const char *)buffer_string(&summary->from), "@distant.alt") != NULL);
    must(utf8_valid(bytes_of_string(summary->subject)) && utf8_valid(bytes_of_string(summary->preview)));
    must(mime_view(&view, own, NULL));
    must(utf8_valid(buffer_view(&view.text)) && utf8_valid(buffer_view(&view.html)));
    for (size_t i = 0; i < view.part_count; i++) {
        struct buffer data = buffer_make(1 << 20);
        must(mime_part_read(&data, own, view.parts[i].part, NULL) || buffer_size(&data) > 1 << 19);
        buffer_free(&data);
    }
    mime_view_free(&view);
}

static void receive(const struct mime_people *people, struct bytes content)
{
    const struct mime_arrival arrival = {.people = people,
                                         .from = {.address = "b@distant.alt"},
                                         .verdict = "signed",
                                         .verdict_text = "x",
                                         .protection = "sealed",
                                         .level = "open",
                                         .gateway = "g.alt",
                                         .sent_ms = 1,
                                         .received_ms = 2,
                                         .own_address = "a@distant.alt",
                                         .message_id = "m@distant.alt"};
    struct buffer own = buffer_make(8 << 20), block = buffer_make(1 << 16);
    struct mime_summary summary;
    if (mime_receive_sealed(&own, &summary, &arrival, content, NULL)) {
        show(buffer_view(&own), &summary);
        mime_summary_free(&summary);
    }
    mime_autocrypt_key(&block, content);
    buffer_clear(&own);
    const struct bytes hashes = {NULL, 0};
    struct mime_file file = {.name = content, .size = 1};
    if (content.size < 1 << 18) { /* POST_CLASSIC_LIMIT */
        must(mime_receive_classic(&own, &summary, &arrival, content, content, hashes, hashes, &file,
                                  content.size < 1000, NULL));
        show(buffer_view(&own), &summary);
        mime_summary_free(&summary);
    }
    buffer_free(&own);
    buffer_free(&block);
}

static void send(const struct mime_people *people, struct bytes message)
{
    static const struct mime_person sender = {.address = "a@distant.alt", .name = "A"};
    const struct mime_submission submission = {
        .sender = &sender, .people = people, .now_ms = 1, .message_id = "x@distant.alt"};
    struct buffer own = buffer_make(8 << 20), content = buffer_make(8 << 20), subject = buffer_make(1 << 20),
                  body = buffer_make(1 << 20);
    struct mime_summary summary;
    if (mime_submit(&own, &summary, &submission, message, NULL)) {
        show(buffer_view(&own), &summary);
        mime_summary_free(&summary);
        if (mime_content(&content, people, bytes_of("key", 3), buffer_view(&own), NULL))
            receive(people, buffer_view(&content));
        if (mime_classic(&subject, &body, buffer_view(&own), NULL))
            must(utf8_valid(buffer_view(&subject)) && utf8_valid(buffer_view(&body)));
        buffer_clear(&body);
        mime_verbs(&body, buffer_view(&own), NULL);
    }
    buffer_free(&own);
    buffer_free(&content);
    buffer_free(&subject);
    buffer_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    const struct mime_people people = {
        .domain = "distant.alt", .fingerprint_of = fingerprint_of, .person_of = person_of, .own_id = own_id};
    if (!started)
        must(mime_start(NULL));
    started = true;
    send(&people, bytes_of(data, size));
    receive(&people, bytes_of(data, size));
    return 0;
}
