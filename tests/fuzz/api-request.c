/* SPDX-License-Identifier: ISC */
#include "api/request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *error = NULL;
    json_t *command = NULL;
    json_int_t id = -1;
    bool taken = request_parse(bytes_of(data, size), &command, &id, &error);
    if (taken != (command != NULL) || taken == (error != NULL) || (taken && id < 0))
        abort();
    struct buffer line = buffer_make(REQUEST_LINE_MAX);
    if (taken ? !reply_done(&line, id, command) : !reply_error(&line, id, error))
        abort();
    struct bytes view = buffer_view(&line);
    for (size_t i = 0; i + 1 < view.size; i++)
        if (view.data[i] == '\n')
            abort();
    buffer_free(&line);
    json_decref(command);
    error_free(error);
    return 0;
}
