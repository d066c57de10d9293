/* SPDX-License-Identifier: ISC */
#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mime/mime.h"

/* What a post costs in this room: submitted, reduced to its content, received, shown; small, and with 10 MiB
 * attached; beside GMime parsing the same bytes once. Then how soon messages are refused that are built to
 * cost. */

enum { LARGE = 10 << 20 };

static double now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static void must(bool good)
{
    if (!good)
        abort();
}

static bool fingerprint_of(void *arg, const char *address, uint8_t fingerprint[20])
{
    (void)arg;
    (void)address;
    memset(fingerprint, 1, 20);
    return true;
}

static void person_of(void *arg, const uint8_t fingerprint[20], struct mime_person *out)
{
    (void)arg;
    (void)fingerprint;
    *out = (struct mime_person){.address = "bob@distant.alt"};
}

static const struct mime_people people = {
    .domain = "distant.alt", .fingerprint_of = fingerprint_of, .person_of = person_of};
static const struct mime_person self = {.address = "alice@distant.alt", .name = "Alice"};

static struct buffer make(size_t attached)
{
    uint8_t *data = malloc(attached + 1);
    must(data != NULL);
    for (size_t i = 0; i < attached; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    const struct mime_attachment attachment = {.name = "a.bin", .data = {data, attached}};
    const struct mime_draft draft = {.sender = &self,
                                     .to = &self,
                                     .to_count = 1,
                                     .subject = "Subject of some words",
                                     .text =
                                         "A line of text as people write them, and then some more of it.\n",
                                     .attachments = &attachment,
                                     .attachment_count = attached > 0,
                                     .now_ms = 1700000000000,
                                     .message_id = "00112233445566778899aabbccddeeff@distant.alt"};
    struct buffer own = buffer_make(MIME_MESSAGE_LIMIT);
    must(mime_compose(&own, &draft, NULL));
    free(data);
    return own;
}

static double parse_only(struct bytes message)
{
    double begin = now_ms();
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer((const char *)message.data, message.size);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *parsed = g_mime_parser_construct_message(parser, NULL);
    must(parsed != NULL);
    g_object_unref(parsed);
    g_object_unref(parser);
    g_object_unref(stream);
    return now_ms() - begin;
}

static void measure(const char *name, size_t attached, unsigned rounds)
{
    struct buffer made = make(attached);
    double parse = 0, submit = 0, content = 0, receive = 0, view = 0;
    for (unsigned i = 0; i < rounds; i++) {
        struct buffer own = buffer_make(MIME_MESSAGE_LIMIT), sent = own, arrived = own;
        struct mime_summary summary;
        struct mime_view shown;
        const struct mime_submission submission = {
            .sender = &self, .people = &people, .now_ms = 1, .message_id = "x@distant.alt"};
        const struct mime_arrival arrival = {.people = &people,
                                             .from = self,
                                             .verdict = "signed",
                                             .protection = "sealed",
                                             .level = "open",
                                             .gateway = "g.alt",
                                             .message_id = "y@distant.alt"};
        parse += parse_only(buffer_view(&made));
        double begin = now_ms();
        must(mime_submit(&own, &summary, &submission, buffer_view(&made), NULL));
        submit += now_ms() - begin;
        mime_summary_free(&summary);
        begin = now_ms();
        must(mime_content(&sent, &people, bytes_of("key", 3), buffer_view(&own), NULL));
        content += now_ms() - begin;
        begin = now_ms();
        must(mime_receive_sealed(&arrived, &summary, &arrival, buffer_view(&sent), NULL));
        receive += now_ms() - begin;
        mime_summary_free(&summary);
        begin = now_ms();
        must(mime_view(&shown, buffer_view(&arrived), NULL));
        view += now_ms() - begin;
        mime_view_free(&shown);
        buffer_free(&own);
        buffer_free(&sent);
        buffer_free(&arrived);
    }
    double n = rounds;
    printf("%-8s GMime parse %.3f ms, submit %.3f, content %.3f, receive %.3f, view %.3f\n", name, parse / n,
           submit / n, content / n, receive / n, view / n);
    buffer_free(&made);
}

static void refuse(const char *name, const char *begin, const char *piece, size_t count)
{
    struct buffer message = buffer_make(MIME_MESSAGE_LIMIT);
    buffer_append_string(&message, begin);
    for (size_t i = 0; i < count; i++)
        buffer_append_string(&message, piece);
    struct mime_view view;
    double at = now_ms();
    must(!mime_view(&view, buffer_view(&message), NULL));
    printf("%-8s refused in %.3f ms\n", name, now_ms() - at);
    buffer_free(&message);
}

static void html(const char *name, const char *begin, const char *piece)
{
    struct buffer text = buffer_make(MIME_HTML_LIMIT), out = buffer_make(64 << 20);
    buffer_append_string(&text, begin);
    while (buffer_size(&text) + 64 < MIME_HTML_LIMIT)
        buffer_printf(&text, piece, (unsigned)buffer_size(&text));
    double at = now_ms();
    must(mime_html_safe(&out, buffer_view(&text)));
    printf("%-8s 1 MiB of HTML in %.1f ms\n", name, now_ms() - at);
    buffer_free(&text);
    buffer_free(&out);
}

int main(void)
{
    must(mime_start(NULL));
    measure("small", 0, 5000);
    measure("10 MiB", LARGE, 10);
    refuse("fields", "", "X-A: b\r\n", 100000);
    refuse("parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\nx\r\n", 50000);
    html("plain", "", "<p>some words and <b>%x</b></p>\n");
    html("deep", "", "<b>");
    html("closing", "<div><div><div><div>", "</i>");
    html("names", "<a ", "a%x ");
    html("tags", "", "<a b c d e f g h i j k l m n o p %x>");
    html("entities", "", "&amp;&#%u;");
    html("comments", "", "<!-- a");
    html("quotes", "<a b=\"", "c ");
    html("data", "<img src=\"data:image/png;base64,", "AAAA");
    return 0;
}
