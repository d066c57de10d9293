/* SPDX-License-Identifier: ISC */
#include "mime/people.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAME_DIGITS = 32, FINGERPRINT_DIGITS = 40 };

/* The digits before "@domain"; false: the name has another form. */
static bool digits_of(const struct mime_people *people, const char *name, size_t digits)
{
    return strspn(name, "0123456789abcdefABCDEF") == digits && name[digits] == '@' &&
           strcasecmp(name + digits + 1, people->domain) == 0;
}

bool people_to_wire(const struct mime_people *people, const char *address, struct mime_person *out)
{
    uint8_t fingerprint[20];
    char hex[FINGERPRINT_DIGITS + 1];
    bool is_wire = digits_of(people, address, FINGERPRINT_DIGITS) &&
                   hex_parse(fingerprint, sizeof fingerprint, address, FINGERPRINT_DIGITS);
    if (!is_wire && !people->fingerprint_of(people->arg, address, fingerprint))
        return false;
    hex_lower(hex, fingerprint, sizeof fingerprint);
    *out = (struct mime_person){.name = ""};
    snprintf(out->address, sizeof out->address, "%s@%s", hex, people->domain);
    return true;
}

bool people_from_wire(const struct mime_people *people, const char *address, struct mime_person *out)
{
    uint8_t fingerprint[20];
    if (!digits_of(people, address, FINGERPRINT_DIGITS) ||
        !hex_parse(fingerprint, sizeof fingerprint, address, FINGERPRINT_DIGITS))
        return false;
    people->person_of(people->arg, fingerprint, out);
    return true;
}

bool people_name(char out[33], const struct mime_people *people, const char *use, const char *name)
{
    struct buffer text = buffer_make(1024);
    uint8_t mac[32];
    unsigned size = sizeof mac;
    buffer_append_string(&text, use);
    buffer_append_string(&text, name);
    struct bytes view = buffer_view(&text);
    bool good = !text.failed && HMAC(EVP_sha256(), people->id_key, sizeof people->id_key, view.data,
                                     view.size, mac, &size) != NULL;
    hex_lower(out, mac, NAME_DIGITS / 2);
    buffer_free(&text);
    return good;
}

bool mime_wire_id(char out[MIME_WIRE_ID], const struct mime_people *people, const char *message_id)
{
    char name[NAME_DIGITS + 1];
    if (digits_of(people, message_id, NAME_DIGITS)) {
        snprintf(out, MIME_WIRE_ID, "%s", message_id);
        return true;
    }
    if (!people_name(name, people, "", message_id))
        return false;
    return (size_t)snprintf(out, MIME_WIRE_ID, "%s@%s", name, people->domain) < MIME_WIRE_ID;
}

bool id_valid(const char *id, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (id[i] <= ' ' || id[i] == 127 || id[i] == '<' || id[i] == '>')
            return false;
    }
    return size > 0 && size < ID_SIZE - 2;
}

void ids_read(struct ids *ids, const char *text)
{
    ids->count = 0;
    while (text != NULL && (text = strchr(text, '<')) != NULL) {
        size_t size = strcspn(++text, "<>");
        if (text[size] != '>' || !id_valid(text, size))
            continue;
        if (ids->count == IDS_LIMIT) {
            memmove(ids->id[0], ids->id[1], sizeof ids->id - sizeof ids->id[0]);
            ids->count--;
        }
        memcpy(ids->id[ids->count], text, size);
        ids->id[ids->count++][size] = '\0';
    }
}
