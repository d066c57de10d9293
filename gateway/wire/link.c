/* SPDX-License-Identifier: ISC */
#include "wire/link.h"

#include <inttypes.h>
#include <string.h>

#include "wire/certificate.h"
#include "wire/percent.h"
#include "wire/radix64.h"
#include "wire/utf8.h"

enum { PGP_ID_DIGITS = 16, LOCATION_DIGITS = 32, FINGERPRINT_DIGITS = 40, HASH_DIGITS = 40 };

static const char scheme[] = "retroshare://";

/* --- parameters */

static bool malformed(struct error **error, const char *parameter)
{
    return error_set(error, ERROR_INVALID, "the link is malformed: bad or missing %s", parameter);
}

/* Appends the decoded value of a parameter. Which of two equal names counts would depend on the reader, so a
 * parameter that stands twice is refused; one that is absent gives nothing. */
static bool parameter(struct buffer *out, struct bytes query, const char *name)
{
    size_t name_size = strlen(name);
    bool found = false;
    while (query.size > 0) {
        const uint8_t *end = memchr(query.data, '&', query.size);
        struct bytes pair = bytes_of(query.data, end == NULL ? query.size : (size_t)(end - query.data));
        size_t taken = pair.size + (end != NULL);
        query = bytes_of(query.data + taken, query.size - taken);
        if (pair.size <= name_size || pair.data[name_size] != '=' || memcmp(pair.data, name, name_size) != 0)
            continue;
        if (found || !percent_decode(out, bytes_of(pair.data + name_size + 1, pair.size - name_size - 1)))
            return false;
        found = true;
    }
    return true;
}

static bool number_of(int64_t *out, struct bytes text)
{
    if (text.size == 0 || text.size > 18)
        return false;
    *out = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *out = *out * 10 + (text.data[i] - '0');
    }
    return true;
}

/* Copies `digits` hex digits, in the case that ids of their kind are written in. */
static bool id_of(char *out, struct bytes text, size_t digits, void (*format)(char *, const void *, size_t))
{
    uint8_t bytes[FINGERPRINT_DIGITS / 2];
    if (text.size != digits || !hex_parse(bytes, digits / 2, (const char *)text.data, text.size))
        return false;
    format(out, bytes, digits / 2);
    return true;
}

/* Exactly as the original checks it: upper case only. */
static bool pgp_id_of(char out[PGP_ID_DIGITS + 1], struct bytes text)
{
    return id_of(out, text, PGP_ID_DIGITS, hex_upper) && memcmp(out, text.data, PGP_ID_DIGITS) == 0;
}

static bool person_id_of(struct link *out, struct bytes text)
{
    return id_of(out->pgp_id, text, PGP_ID_DIGITS, hex_upper) ||
           id_of(out->location, text, LOCATION_DIGITS, hex_lower) ||
           id_of(out->fingerprint, text, FINGERPRINT_DIGITS, hex_upper);
}

/* --- one function for each parameter: takes its decoded value, which is empty when it is absent */

static bool take_time_stamp(struct link *out, struct bytes value)
{
    return number_of(&out->time_stamp, value);
}

static bool take_pgp_id(struct link *out, struct bytes value)
{
    return pgp_id_of(out->pgp_id, value);
}

static bool take_blob(struct link *out, struct bytes value)
{
    return value.size > 0 && radix64_decode(&out->blob, value);
}

static bool take_version(struct link *out, struct bytes value)
{
    out->sealed = bytes_equal(value, bytes_of_string("2"));
    return true;
}

static bool take_name(struct link *out, struct bytes value)
{
    utf8_show(out->name, sizeof(out->name), value);
    return true;
}

static bool take_subject(struct link *out, struct bytes value)
{
    utf8_show(out->subject, sizeof(out->subject), value);
    return true;
}

static bool take_hash(struct link *out, struct bytes value)
{
    char again[HASH_DIGITS + 1];
    return id_of(again, value, HASH_DIGITS, hex_lower) && memcmp(again, value.data, HASH_DIGITS) == 0 &&
           hex_parse(out->hash, sizeof(out->hash), again, HASH_DIGITS);
}

static bool take_key_block(struct link *out, struct bytes value)
{
    return value.size == 0 || radix64_decode(&out->blob, value);
}

/* Comes after the key block that it checks. */
static bool take_key_checksum(struct link *out, struct bytes value)
{
    struct bytes block = buffer_view(&out->blob);
    if (block.size == 0)
        return value.size == 0;
    struct buffer sum = buffer_make(3);
    uint32_t crc = crc24(block);
    const uint8_t expected[] = {(uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
    bool good =
        radix64_decode(&sum, value) && bytes_equal(buffer_view(&sum), bytes_of(expected, sizeof(expected)));
    buffer_free(&sum);
    return good;
}

/* What 0.6 writes instead of the key block: a whole certificate. Last, so that a link with neither is refused
 * here. */
static bool take_certificate(struct link *out, struct bytes value)
{
    struct friend_text text;
    if (value.size == 0 || buffer_size(&out->blob) > 0)
        return value.size == 0 && buffer_size(&out->blob) > 0;
    if (!friend_text_parse(&text, value, NULL))
        return false;
    bool good = !text.is_short && buffer_append_bytes(&out->blob, text.key_block);
    friend_text_free(&text);
    return good;
}

enum { PARAMETERS_MAX = 4 };

static const struct form {
    const char *host;
    enum link_kind kind;
    struct {
        const char *name;
        bool (*take)(struct link *, struct bytes);
    } parameters[PARAMETERS_MAX];
} forms[] = {
    {"private_chat",
     LINK_PRIVATE_CHAT,
     {{"time_stamp", take_time_stamp},
      {"gpgid", take_pgp_id},
      {"encrypted_data", take_blob},
      {"v", take_version}}},
    {"person", LINK_PERSON, {{"hash", person_id_of}, {"name", take_name}}},
    {"message", LINK_MESSAGE, {{"id", person_id_of}, {"subject", take_subject}}},
    {"public_msg",
     LINK_PUBLIC_MESSAGE,
     {{"time_stamp", take_time_stamp}, {"hash", take_hash}, {"gpgid", take_pgp_id}}},
    {"certificate",
     LINK_CERTIFICATE,
     {{"name", take_name},
      {"gpgbase64", take_key_block},
      {"gpgchecksum", take_key_checksum},
      {"radix", take_certificate}}},
};

static const struct form *find_form(struct bytes host)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (bytes_equal(host, bytes_of_string(forms[i].host)))
            return &forms[i];
    }
    return NULL;
}

static bool read_form(struct link *out, const struct form *form, struct bytes query, struct error **error)
{
    struct buffer value = buffer_make(LINK_TEXT_MAX);
    bool good = true;
    for (size_t i = 0; good && i < PARAMETERS_MAX && form->parameters[i].name != NULL; i++) {
        buffer_clear(&value);
        if (!parameter(&value, query, form->parameters[i].name) ||
            !form->parameters[i].take(out, buffer_view(&value)))
            good = malformed(error, form->parameters[i].name);
    }
    buffer_free(&value);
    return good;
}

/* --- the link */

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    for (; text.size > 0 && is_space(text.data[0]); text.size--)
        text.data++;
    return text;
}

static bool one_line(struct bytes text)
{
    uint32_t code_point;
    while (utf8_next(&text, &code_point)) {
        if (utf8_screen(code_point, "") != code_point)
            return false;
    }
    return text.size == 0;
}

static size_t host_size(struct bytes text)
{
    size_t size = 0;
    while (size < text.size && ((text.data[size] >= 'a' && text.data[size] <= 'z') || text.data[size] == '_'))
        size++;
    return size;
}

bool link_parse(struct link *out, struct bytes text, struct error **error)
{
    size_t scheme_size = sizeof(scheme) - 1;
    *out = (struct link){.kind = LINK_OTHER, .blob = buffer_make(LINK_TEXT_MAX)};
    if (text.size > LINK_TEXT_MAX)
        return error_set(error, ERROR_INVALID, "the link is longer than %d bytes", LINK_TEXT_MAX);
    text = trim(text);
    if (text.size < scheme_size || memcmp(text.data, scheme, scheme_size) != 0)
        return error_set(error, ERROR_INVALID, "this is no link: it does not begin with %s", scheme);
    if (!one_line(text))
        return error_set(error, ERROR_INVALID,
                         "the link holds a line break, a control character or invalid UTF-8");
    struct bytes rest = bytes_of(text.data + scheme_size, text.size - scheme_size);
    struct bytes host = bytes_of(rest.data, host_size(rest));
    if (host.size == 0)
        return malformed(error, "kind");
    const struct form *form = find_form(host);
    if (form == NULL)
        return true;
    if (rest.size == host.size || rest.data[host.size] != '?')
        return malformed(error, "parameters");
    struct bytes query = bytes_of(rest.data + host.size + 1, rest.size - host.size - 1);
    if (!read_form(out, form, query, error)) {
        link_free(out);
        return false;
    }
    out->kind = form->kind;
    return true;
}

void link_free(struct link *link)
{
    buffer_free(&link->blob);
    *link = (struct link){.kind = LINK_OTHER};
}

static bool finish(struct buffer *out, size_t begin)
{
    if (out->failed)
        out->end = out->start + begin;
    return !out->failed;
}

bool link_write_private_chat(struct buffer *out, int64_t time_stamp, const char pgp_id[17], struct bytes blob,
                             bool sealed)
{
    size_t begin = buffer_size(out);
    buffer_printf(out, "%sprivate_chat?time_stamp=%" PRId64 "&gpgid=%s&encrypted_data=", scheme, time_stamp,
                  pgp_id);
    radix64_encode(out, blob);
    buffer_append_string(out, sealed ? "&v=2" : "");
    return finish(out, begin);
}

bool link_write_certificate(struct buffer *out, const uint8_t fingerprint[20], const char *name,
                            struct bytes key_block)
{
    size_t begin = buffer_size(out);
    uint32_t crc = crc24(key_block);
    const uint8_t sum[] = {(uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
    char id[9];
    hex_upper(id, fingerprint + 16, 4);
    buffer_printf(out, "%scertificate?gpgid=%s&gpgbase64=", scheme, id);
    radix64_encode(out, key_block);
    buffer_append_string(out, "&gpgchecksum=");
    radix64_encode(out, bytes_of(sum, sizeof(sum)));
    buffer_append_string(out, "&name=");
    percent_encode(out, bytes_of_string(name));
    return finish(out, begin);
}

bool link_write_public_message(struct buffer *out, int64_t time_stamp, const uint8_t hash[20],
                               const char pgp_id[17])
{
    char digits[HASH_DIGITS + 1];
    hex_lower(digits, hash, HASH_DIGITS / 2);
    return buffer_printf(out, "%spublic_msg?time_stamp=%" PRId64 "&hash=%s&gpgid=%s", scheme, time_stamp,
                         digits, pgp_id);
}

bool link_write_message(struct buffer *out, const char *id, const char *subject)
{
    size_t begin = buffer_size(out);
    buffer_printf(out, "%smessage?id=%s", scheme, id);
    if (subject[0] != '\0') {
        buffer_append_string(out, "&subject=");
        percent_encode(out, bytes_of_string(subject));
    }
    return finish(out, begin);
}

bool link_find(struct bytes text, struct bytes *found)
{
    const uint8_t *at = text.size > 0 ? memmem(text.data, text.size, scheme, sizeof(scheme) - 1) : NULL;
    if (at == NULL)
        return false;
    size_t room = text.size - (size_t)(at - text.data), size = 0;
    while (size < room && at[size] > ' ' && at[size] != 0x7f && memchr("\"<>", at[size], 3) == NULL)
        size++;
    while (memchr(".,;:!?)", at[size - 1], 7) != NULL)
        size--;
    *found = bytes_of(at, size);
    return true;
}
