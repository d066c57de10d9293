/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "mime/fields.h"
#include "mime/parts.h"
#include "wire/post.h"

enum { SUBJECT_SIZE = 4096 };

static bool put_people(struct buffer *out, const char *name, const struct mime_people *people,
                       const struct reading *reading)
{
    struct mime_person *list = calloc(MIME_ADDRESSES_LIMIT, sizeof *list);
    if (list == NULL)
        return false;
    size_t count = people_read(list, MIME_ADDRESSES_LIMIT, reading, name), known = 0;
    for (size_t i = 0; i < count; i++) {
        struct mime_person person;
        if (people_to_wire(people, list[i].address, &person))
            list[known++] = person;
    }
    field_people(out, name, list, known);
    free(list);
    return true;
}

static void put_ids(struct buffer *out, const char *name, const struct mime_people *people,
                    const struct reading *reading)
{
    struct ids ids;
    ids_read(&ids, reading_raw(reading, name));
    for (size_t i = 0; i < ids.count; i++) {
        char wire[MIME_WIRE_ID];
        if (mime_wire_id(wire, people, ids.id[i]))
            memcpy(ids.id[i], wire, sizeof wire);
    }
    field_ids(out, name, &ids);
}

bool mime_content(struct buffer *content, const struct mime_people *people, struct bytes autocrypt,
                  struct bytes own, struct error **error)
{
    struct reading reading;
    struct mime_person self, wire = {.address = ""};
    struct ids ids;
    char subject[SUBJECT_SIZE];
    bool changed, good = reading_open(&reading, own, error);
    if (good) {
        ids_read(&ids, reading_raw(&reading, "Message-ID"));
        good = parts_reduce(&reading, people, ids.count > 0 ? ids.id[0] : "", error);
    }
    if (good) {
        parts_encode(&reading, &changed);
        int64_t date = date_read(&reading);
        if (date > 0)
            field_date(content, "Date", date);
        subject_read(subject, sizeof subject, &reading);
        if (subject[0] != '\0')
            field_text(content, "Subject", subject);
        good = put_people(content, "To", people, &reading) && put_people(content, "Cc", people, &reading);
        put_ids(content, "Message-ID", people, &reading);
        put_ids(content, "In-Reply-To", people, &reading);
        put_ids(content, "References", people, &reading);
        if (people_read(&self, 1, &reading, "From") == 1 && people_to_wire(people, self.address, &wire))
            field_autocrypt(content, wire.address, autocrypt);
        buffer_append_string(content, "MIME-Version: 1.0\r\n");
        good = object_write(content, reading.root) && good;
        if (buffer_size(content) > POST_CONTENT_LIMIT)
            good = error_set(
                error, ERROR_LIMIT,
                "the message has more than %d MiB with its attachments, which grow by a third on the "
                "way; send large files another way",
                POST_CONTENT_LIMIT >> 20);
        else if (!good)
            error_set(error, ERROR_LIMIT, "the message does not fit, or there is no memory");
    }
    reading_free(&reading);
    return good;
}
