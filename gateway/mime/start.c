/* SPDX-License-Identifier: ISC */
#include <gmime/gmime.h>
#include <libxml/parser.h>

#include "mime/mime.h"

/* One message through most of the room: GMime registers its types when they are first used, without a lock.
 */
static bool first_message(struct error **error)
{
    static const char message[] =
        "To: a: a@b, \"c\" <d@e>;\r\nSubject: =?utf-8?q?=C3=A4?=\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
        "--c\r\nContent-Type: text/plain; charset=koi8-r\r\n"
        "Content-Transfer-Encoding: binary\r\n\r\nx\r\n"
        "--c\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--c--\r\n"
        "--b\r\nContent-Type: multipart/signed; boundary=d\r\n\r\n"
        "--d\r\n\r\nx\r\n--d\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n"
        "--d--\r\n"
        "--b\r\nContent-Type: multipart/encrypted; boundary=e\r\n\r\n--e--\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n\r\nx\r\n"
        "--b\r\nContent-Type: message/partial; id=x\r\n\r\nx\r\n"
        "--b\r\nContent-Type: application/pkcs7-mime\r\n\r\nx\r\n"
        "--b\r\nContent-Disposition: attachment; filename=\"x\"\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nAA==\r\n--b--\r\n";
    const struct mime_person person = {.address = "a@b", .name = "\xc3\xa4"};
    const struct mime_submission submission = {.sender = &person, .now_ms = 1, .message_id = "a@b"};
    const struct mime_attachment attachment = {.name = "x", .data = {(const uint8_t *)message, 1}};
    const struct mime_draft draft = {.sender = &person,
                                     .subject = "",
                                     .text = "",
                                     .attachments = &attachment,
                                     .attachment_count = 1,
                                     .message_id = "a@b"};
    struct buffer own = buffer_make(1 << 16), other = buffer_make(1 << 16);
    struct mime_summary summary;
    struct mime_view view;
    bool good = mime_submit(&own, &summary, &submission, bytes_of_string(message), error);
    if (good) {
        mime_summary_free(&summary);
        good = mime_view(&view, buffer_view(&own), error) && mime_compose(&other, &draft, error);
        mime_view_free(&view);
    }
    buffer_free(&own);
    buffer_free(&other);
    return good;
}

bool mime_start(struct error **error)
{
    g_mime_init();
    xmlInitParser();
    return first_message(error) || error_prefix(error, "the mail library does not work");
}
