/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "keyring/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Frames in both directions; what was read is written again to the same bytes. */
static void read_frame(struct bytes whole, struct bytes frame)
{
    struct request request;
    struct answer answer;
    struct buffer again = buffer_make(whole.size);
    if (frame_request_parse(&request, frame)) {
        require(frame_request_write(&again, &request) && bytes_equal(buffer_view(&again), whole));
        (void)home_is_good(request.home);
        buffer_clear(&again);
    }
    if (answer_parse(&answer, frame)) {
        bool good = answer.progress ? progress_write(&again, answer.id, answer.error.text)
                                    : answer_write(&again, answer.id, &answer.fields);
        /* A text in an answer that worked is dropped, so the copy may be shorter. */
        require(good && buffer_size(&again) <= whole.size);
    }
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size), frame;
    while (frame_find(input, frame_request_most(input), &frame) == FRAME_WHOLE) {
        read_frame(bytes_of(input.data, FRAME_HEADER + frame.size), frame);
        input = bytes_of(input.data + FRAME_HEADER + frame.size, input.size - FRAME_HEADER - frame.size);
    }
    return 0;
}
