/* SPDX-License-Identifier: ISC */
#include "mime/parts.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mime/html.h"
#include "mime/screen.h"

/* What stays. Content-Location and Content-Base may hold paths; dates and modes of a disposition, and x-
 * parameters, tell of the sender's files. */
static const char *const fields[] = {"Content-Type",
                                     "Content-Transfer-Encoding",
                                     "Content-Disposition",
                                     "Content-ID",
                                     "Content-Description",
                                     "Content-Language",
                                     NULL};
static const char *const dropped[] = {"creation-date", "modification-date", "read-date", "url", "path", NULL};

struct walk {
    const struct reading *reading;
    const struct mime_people *people; /* NULL: nothing is renamed */
    const char *seed;
    unsigned boundaries;
    bool encode, changed, failed;
};

static bool listed(const char *const *list, const char *name)
{
    for (; *list != NULL; list++) {
        if (strcasecmp(*list, name) == 0)
            return true;
    }
    return false;
}

bool flat(char *text)
{
    bool changed = false;
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 127) {
            *text = '_';
            changed = true;
        }
    }
    return changed;
}

/* The parts below are covered by a signature, or are not for us to read. */
static bool is_closed(GMimeObject *object)
{
    GMimeContentType *type = g_mime_object_get_content_type(object);
    return g_mime_content_type_is_type(type, "multipart", "signed") ||
           g_mime_content_type_is_type(type, "multipart", "encrypted");
}

/* GMime decodes line ends in a value and writes them as they are: what follows them would be fields, of the
 * message itself when the part is its root. */
static void flatten(GMimeParam *param)
{
    char *value = g_strdup(g_mime_param_get_value(param));
    bool changed = value != NULL && flat(value);
    if (changed)
        g_mime_param_set_value(param, value);
    g_free(value);
}

static void reduce_params(GMimeParamList *params)
{
    for (int i = params == NULL ? 0 : g_mime_param_list_length(params); i > 0; i--) {
        GMimeParam *param = g_mime_param_list_get_parameter_at(params, i - 1);
        const char *name = g_mime_param_get_name(param);
        if (strncasecmp(name, "x-", 2) == 0 || listed(dropped, name))
            g_mime_param_list_remove_at(params, i - 1);
        else
            flatten(param);
    }
}

static void reduce_fields(GMimeObject *object)
{
    GMimeHeaderList *headers = g_mime_object_get_header_list(object);
    for (int i = g_mime_header_list_get_count(headers); i > 0; i--) {
        GMimeHeader *header = g_mime_header_list_get_header_at(headers, i - 1);
        if (!listed(fields, g_mime_header_get_name(header)))
            g_mime_header_list_remove_at(headers, i - 1);
    }
    /* Setting a word to itself writes the field anew: removing parameters alone does not, and a field as it
     * came may have comments. */
    GMimeContentType *type = g_mime_object_get_content_type(object);
    reduce_params(g_mime_content_type_get_parameters(type));
    if (g_mime_header_list_contains(headers, "Content-Type")) {
        char *word = g_strdup(g_mime_content_type_get_media_subtype(type));
        g_mime_content_type_set_media_subtype(type, word == NULL ? "plain" : word);
        g_free(word);
    }
    GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(object);
    if (disposition != NULL) {
        reduce_params(g_mime_content_disposition_get_parameters(disposition));
        char *word = g_strdup(g_mime_content_disposition_get_disposition(disposition));
        g_mime_content_disposition_set_disposition(disposition, word == NULL ? "attachment" : word);
        g_free(word);
    }
}

static void set_boundary(struct walk *walk, GMimeMultipart *multipart)
{
    char name[33], boundary[48], use[32];
    if (walk->people != NULL) {
        snprintf(use, sizeof use, "boundary %u ", walk->boundaries++);
        walk->failed |= !people_name(name, walk->people, use, walk->seed);
    } else {
        uint8_t digest[SHA256_DIGEST_LENGTH];
        char text[ID_SIZE + sizeof use];
        int size = snprintf(text, sizeof text, "boundary %u %s", walk->boundaries++, walk->seed);
        SHA256((const uint8_t *)text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1, digest);
        hex_lower(name, digest, 16);
    }
    snprintf(boundary, sizeof boundary, "=_%s", name); /* "=_" stands in no base64 and no quoted-printable */
    g_mime_multipart_set_boundary(multipart, boundary);
    g_mime_multipart_set_prologue(multipart, NULL);
    g_mime_multipart_set_epilogue(multipart, NULL);
}

static bool content_id(char *out, size_t size, const struct mime_people *people, const char *id)
{
    char name[33];
    return strlen(id) < ID_SIZE && people_name(name, people, "cid ", id) &&
           (size_t)snprintf(out, size, "%s@%s", name, people->domain) < size;
}

static bool rename_cid(void *arg, char *out, size_t size, const char *id)
{
    return content_id(out, size, arg, id);
}

static void rename_ids(struct walk *walk, GMimeObject *object)
{
    char id[ID_SIZE];
    const char *old = g_mime_object_get_content_id(object);
    if (old != NULL && content_id(id, sizeof id, walk->people, old))
        g_mime_object_set_content_id(object, id);
    else if (old != NULL)
        g_mime_header_list_remove(g_mime_object_get_header_list(object), "Content-ID");
    const char *start = g_mime_object_get_content_type_parameter(object, "start");
    if (start == NULL)
        return;
    struct ids ids;
    ids_read(&ids, start);
    if (ids.count == 1 && content_id(id, sizeof id - 2, walk->people, ids.id[0])) {
        char bracketed[ID_SIZE + 2];
        snprintf(bracketed, sizeof bracketed, "<%s>", id);
        g_mime_object_set_content_type_parameter(object, "start", bracketed);
    }
}

/* "cid:" addresses of HTML follow the ids. */
static void rename_references(struct walk *walk, GMimePart *part)
{
    struct buffer html = buffer_make(MIME_MESSAGE_LIMIT), out = buffer_make(MIME_MESSAGE_LIMIT);
    bool cut, changed = false;
    if (!leaf_decode(&html, &cut, part) || cut ||
        !html_rename_cids(&out, buffer_view(&html), rename_cid, (void *)(uintptr_t)walk->people, &changed)) {
        walk->failed = true;
    } else if (changed) {
        struct bytes data = buffer_view(&out);
        GMimeStream *stream = g_mime_stream_mem_new_with_buffer((const char *)data.data, data.size);
        GMimeDataWrapper *content =
            g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
        g_mime_part_set_content(part, content);
        g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
        g_object_unref(content);
        g_object_unref(stream);
    }
    buffer_free(&html);
    buffer_free(&out);
}

static void encode_leaf(struct walk *walk, GMimePart *part)
{
    GMimeContentEncoding encoding = g_mime_part_get_content_encoding(part);
    if (encoding == GMIME_CONTENT_ENCODING_BASE64 || encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE ||
        encoding == GMIME_CONTENT_ENCODING_UUENCODE ||
        (encoding != GMIME_CONTENT_ENCODING_BINARY && !lines_too_long(leaf_bytes(walk->reading, part))))
        return;
    GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
    bool text = g_mime_content_type_is_type(type, "text", "*");
    g_mime_part_set_content_encoding(part, text ? GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE
                                                : GMIME_CONTENT_ENCODING_BASE64);
    walk->changed = true;
}

static void take(struct walk *walk, GMimeObject *object)
{
    if (!walk->encode) {
        reduce_fields(object);
        if (walk->people != NULL)
            rename_ids(walk, object);
        if (walk->people != NULL && GMIME_IS_PART(object) &&
            g_mime_content_type_is_type(g_mime_object_get_content_type(object), "text", "html"))
            rename_references(walk, GMIME_PART(object));
        if (walk->people != NULL && GMIME_IS_MULTIPART(object))
            set_boundary(walk, GMIME_MULTIPART(object));
    } else if (GMIME_IS_PART(object)) {
        encode_leaf(walk, GMIME_PART(object));
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        GMimeObject *root = message == NULL ? NULL : g_mime_message_get_mime_part(message);
        if (root != NULL)
            take(walk, root);
    }
    if (!GMIME_IS_MULTIPART(object) || is_closed(object))
        return;
    int count = g_mime_multipart_get_count(GMIME_MULTIPART(object));
    for (int i = 0; i < count; i++)
        take(walk, g_mime_multipart_get_part(GMIME_MULTIPART(object), i));
}

bool parts_reduce(const struct reading *reading, const struct mime_people *people, const char *seed,
                  struct error **error)
{
    struct walk walk = {.reading = reading, .people = people, .seed = seed};
    take(&walk, reading->root);
    return !walk.failed || error_set(error, ERROR_INTERNAL, "the parts of the message cannot be rewritten");
}

void parts_encode(const struct reading *reading, bool *changed)
{
    struct walk walk = {.reading = reading, .encode = true};
    take(&walk, reading->root);
    *changed = walk.changed;
}

void parts_bound(GMimeObject *root, const char *seed)
{
    struct walk walk = {.seed = seed};
    if (!GMIME_IS_MULTIPART(root))
        return;
    set_boundary(&walk, GMIME_MULTIPART(root));
    int count = g_mime_multipart_get_count(GMIME_MULTIPART(root));
    for (int i = 0; i < count; i++) {
        GMimeObject *part = g_mime_multipart_get_part(GMIME_MULTIPART(root), i);
        if (GMIME_IS_MULTIPART(part))
            set_boundary(&walk, GMIME_MULTIPART(part));
    }
}
