/* SPDX-License-Identifier: ISC */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error out_of_memory = {ERROR_INTERNAL, "out of memory"};

static const char *const words[] = {
    [ERROR_INVALID] = "invalid",   [ERROR_NOT_FOUND] = "not-found",
    [ERROR_EXISTS] = "exists",     [ERROR_DENIED] = "denied",
    [ERROR_LIMIT] = "limit",       [ERROR_LOCKED] = "locked",
    [ERROR_EXPIRED] = "expired",   [ERROR_UNAVAILABLE] = "unavailable",
    [ERROR_INTERNAL] = "internal",
};

bool error_set(struct error **error, enum error_code code, const char *format, ...)
{
    if (error == NULL || *error != NULL)
        return false;
    struct error *made = malloc(sizeof *made);
    if (made == NULL) {
        *error = &out_of_memory;
        return false;
    }
    made->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(made->text, sizeof made->text, format, arguments);
    va_end(arguments);
    *error = made;
    return false;
}

bool error_prefix(struct error **error, const char *format, ...)
{
    if (error == NULL || *error == NULL || *error == &out_of_memory)
        return false;
    char text[sizeof(*error)->text];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return false;
    size_t used = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    snprintf(text + used, sizeof text - used, ": %s", (*error)->text);
    memcpy((*error)->text, text, sizeof text);
    return false;
}

const char *error_word(enum error_code code)
{
    size_t index = (size_t)code;
    if (index >= sizeof words / sizeof words[0] || words[index] == NULL)
        return "internal";
    return words[index];
}

void error_free(struct error *error)
{
    if (error != &out_of_memory)
        free(error);
}
