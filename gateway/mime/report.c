/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "mime/compose.h"
#include "mime/fields.h"
#include "mime/parts.h"
#include "mime/screen.h"
#include "wire/utf8.h"

/* Delivery status notifications (RFC 3464): words for a person, fields for a program, the message or its
 * header. */

enum { SUBJECT_SIZE = 1024, TEXT_SIZE = 256 << 10 };

static const struct action {
    const char *name, *subject, *begins;
} actions[] = {
    {"failed", "Not delivered", "Your message could not be delivered to:"},
    {"delayed", "Delayed",
     "Your message has not been delivered yet. Nothing needs to be done; it is still being "
     "tried for:"},
    {"delivered", "Delivered", "Your message was delivered: the gateway of the recipient holds it. To:"},
    {"relayed", "Sent, not confirmed",
     "Your message was sent. The program of the recipient confirms nothing, so whether "
     "it arrived is not known. To:"},
};

static void put_text(struct buffer *text, const struct mime_report *report)
{
    for (size_t a = 0; a < sizeof actions / sizeof actions[0]; a++) {
        bool begun = false;
        for (size_t i = 0; i < report->count; i++) {
            const struct mime_report_recipient *recipient = &report->recipients[i];
            if (strcmp(recipient->action, actions[a].name) != 0)
                continue;
            if (!begun)
                buffer_printf(text, "%s%s\n\n", buffer_size(text) > 0 ? "\n" : "", actions[a].begins);
            begun = true;
            buffer_printf(text, "  %s\n", recipient->address);
            if (recipient->reason != NULL && recipient->reason[0] != '\0')
                buffer_printf(text, "    %s\n", recipient->reason);
            if (recipient->until_ms > 0) {
                buffer_append_string(text, "    It is tried ");
                struct buffer date = buffer_make(128);
                field_date(&date, "until", recipient->until_ms);
                struct bytes view = buffer_view(&date);
                buffer_append(text, view.data, view.size > 2 ? view.size - 2 : 0);
                buffer_append_string(text, "\n");
                buffer_free(&date);
            }
        }
    }
    buffer_printf(text, "\n%s\n",
                  report->full ? "The message is attached." : "The header of the message is attached.");
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

/* message/delivery-status is ASCII, and so is "rfc822;": other addresses have a type of their own, in which
 * they are written "\x{FC}" (RFC 6533 §3, utf-8-addr-xtext). */
static void put_address(struct buffer *status, const char *address)
{
    struct bytes left = bytes_of_string(address);
    uint32_t code_point;
    if (is_ascii(address)) {
        buffer_printf(status, "rfc822; %s", address);
        return;
    }
    buffer_append_string(status, "utf-8; ");
    while (left.size > 0 && utf8_next(&left, &code_point)) {
        if (code_point > ' ' && code_point < 0x7f && strchr("+=\\", (int)code_point) == NULL)
            buffer_u8(status, (uint8_t)code_point);
        else
            buffer_printf(status, "\\x{%02X}", code_point);
    }
}

static void put_ascii(struct buffer *status, const char *text)
{
    struct bytes left = bytes_of_string(text);
    uint32_t code_point;
    while (left.size > 0 && utf8_next(&left, &code_point))
        buffer_u8(status, code_point < 0x80 ? (uint8_t)code_point : '?');
}

/* A field of one line, whatever the text: an envelope id is its giver's, a reason may be the other side's. */
static void put_line(struct buffer *status, const char *name, const char *text)
{
    char *line = g_strdup(text == NULL ? "" : text);
    flat(line);
    if (line[0] != '\0')
        buffer_printf(status, "%s %s\n", name, line);
    g_free(line);
}

static void put_status(struct buffer *status, const struct mime_report *report)
{
    const char *host = strchr(report->gateway->address, '@');
    put_line(status, "Original-Envelope-Id:", report->envelope);
    buffer_printf(status, "Reporting-MTA: dns; %s\n", host == NULL ? report->gateway->address : host + 1);
    if (report->arrived_ms > 0)
        field_date(status, "Arrival-Date", report->arrived_ms);
    for (size_t i = 0; i < report->count; i++) {
        const struct mime_report_recipient *recipient = &report->recipients[i];
        buffer_append_string(status, "\nFinal-Recipient: ");
        put_address(status, recipient->address);
        buffer_printf(status, "\nAction: %s\nStatus: %s\n", recipient->action, recipient->status);
        if (recipient->reason != NULL && recipient->reason[0] != '\0') {
            buffer_append_string(status, "Diagnostic-Code: x-retrogate; ");
            put_ascii(status, recipient->reason);
            buffer_append_string(status, "\n");
        }
        if (recipient->last_attempt_ms > 0)
            field_date(status, "Last-Attempt-Date", recipient->last_attempt_ms);
        if (recipient->until_ms > 0 && strcmp(recipient->action, "delayed") == 0)
            field_date(status, "Will-Retry-Until", recipient->until_ms);
    }
}

static struct bytes header_of(struct bytes message)
{
    struct bytes left = message;
    struct field field;
    while (field_next(&left, &field))
        ;
    return bytes_of(message.data, message.size - left.size);
}

static GMimeContentEncoding original_encoding(struct bytes original)
{
    for (size_t i = 0; i < original.size; i++) {
        if (original.data[i] >= 0x80)
            return GMIME_CONTENT_ENCODING_8BIT;
    }
    return GMIME_CONTENT_ENCODING_7BIT;
}

static GMimeObject *root_make(const struct mime_report *report, struct bytes original)
{
    struct buffer text = buffer_make(TEXT_SIZE), status = buffer_make(TEXT_SIZE);
    put_text(&text, report);
    put_status(&status, report);
    GMimeObject *root = NULL;
    if (!text.failed && !status.failed) {
        GMimeMultipart *multipart = g_mime_multipart_new_with_subtype("report");
        g_mime_object_set_content_type_parameter(GMIME_OBJECT(multipart), "report-type", "delivery-status");
        multipart_add(multipart, text_make("plain", buffer_view(&text)));
        multipart_add(multipart, GMIME_OBJECT(leaf_make("message", "delivery-status", buffer_view(&status),
                                                        GMIME_CONTENT_ENCODING_7BIT)));
        struct bytes attached = report->full ? original : header_of(original);
        multipart_add(multipart, GMIME_OBJECT(leaf_make(report->full ? "message" : "text",
                                                        report->full ? "rfc822" : "rfc822-headers", attached,
                                                        original_encoding(attached))));
        root = GMIME_OBJECT(multipart);
    }
    buffer_free(&text);
    buffer_free(&status);
    return root;
}

static const char *subject_word(const struct mime_report *report)
{
    for (size_t a = 0; a < sizeof actions / sizeof actions[0]; a++) {
        for (size_t i = 0; i < report->count; i++) {
            if (strcmp(report->recipients[i].action, actions[a].name) == 0)
                return actions[a].subject;
        }
    }
    return "Report";
}

bool mime_report(struct buffer *own, struct mime_summary *summary, const struct mime_report *report,
                 struct bytes original, struct error **error)
{
    struct mime_summary about;
    char subject[SUBJECT_SIZE];
    if (!mime_summarise(&about, original, error))
        return false;
    snprintf(subject, sizeof subject, "%s: %s", subject_word(report),
             about.subject[0] == '\0' ? "(no subject)" : about.subject);
    field_people(own, "From", report->gateway, 1);
    field_people(own, "To", report->recipient, 1);
    field_text(own, "Subject", subject);
    field_date(own, "Date", report->now_ms);
    field_id(own, "Message-ID", report->message_id);
    field_id(own, "In-Reply-To", about.message_id);
    field_id(own, "References", about.message_id);
    buffer_append_string(own, "Auto-Submitted: auto-replied\r\n");
    mime_summary_free(&about);
    GMimeObject *root = root_make(report, original);
    if (root == NULL)
        return error_set(error, ERROR_LIMIT, "the report is too large, or there is no memory");
    return message_finish(own, root, report->message_id, error) &&
           mime_summarise(summary, buffer_view(own), error);
}
