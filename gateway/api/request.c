/* SPDX-License-Identifier: ISC */
#include "api/request.h"

#include <string.h>

bool request_parse(struct bytes line, json_t **command, json_int_t *id, struct error **error)
{
    json_error_t where;
    *id = -1;
    *command = NULL;
    json_t *value = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &where);
    if (value == NULL)
        return error_set(error, ERROR_INVALID, "the message is not JSON, at byte %d", where.position);
    const json_t *number = json_object_get(value, "id");
    if (json_is_integer(number) && json_integer_value(number) >= 0)
        *id = json_integer_value(number);
    if (!json_is_object(value))
        error_set(error, ERROR_INVALID, "a command is an object, like {\"id\": 1, \"do\": \"hello\"}");
    else if (*id < 0)
        error_set(error, ERROR_INVALID,
                  "a command has an \"id\", a number from 0 up, which its answer repeats");
    else if (!json_is_string(json_object_get(value, "do")))
        error_set(error, ERROR_INVALID, "a command has a \"do\", like {\"id\": 1, \"do\": \"hello\"}");
    else if (json_object_del(value, "id") != 0)
        error_set(error, ERROR_INTERNAL, "out of memory");
    else
        *command = value;
    if (*command != NULL)
        return true;
    json_decref(value);
    return false;
}

static int append(const char *text, size_t size, void *arg)
{
    return buffer_append(arg, text, size) ? 0 : -1;
}

/* Takes the value. */
static bool append_line(struct buffer *out, json_int_t id, json_t *value)
{
    bool written = value != NULL && (id < 0 || json_object_set_new(value, "id", json_integer(id)) == 0) &&
                   json_dump_callback(value, append, out, JSON_COMPACT) == 0 && buffer_append(out, "\n", 1);
    out->failed = !written;
    json_decref(value);
    return written;
}

bool request_write(struct buffer *out, json_int_t id, json_t *command)
{
    return append_line(out, id, json_copy(command));
}

bool reply_done(struct buffer *out, json_int_t id, json_t *result)
{
    return append_line(out, id,
                       result != NULL ? json_pack("{s:O}", "done", result) : json_pack("{s:{}}", "done"));
}

bool reply_error(struct buffer *out, json_int_t id, const struct error *error)
{
    return append_line(
        out, id, json_pack("{s:{s:s,s:s}}", "error", "code", error_word(error->code), "text", error->text));
}

bool reply_more(struct buffer *out)
{
    return append_line(out, -1, json_pack("{s:b}", "more", 1));
}

bool reply_hint(struct buffer *out, json_t *hint)
{
    return append_line(out, -1, json_pack("{s:O}", "hint", hint));
}

bool reply_page(struct buffer *out, json_t *page)
{
    return append_line(out, -1, json_incref(page));
}
