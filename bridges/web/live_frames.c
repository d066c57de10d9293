/* SPDX-License-Identifier: ISC */
#include "live_frames.h"

enum {
    MASKED = 0x80,
    LENGTH_BITS = 0x7f,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
    MASK_SIZE = 4,
    HEAD_END_SIZE = 4
};

static void match(struct frames *frames, uint8_t byte)
{
    static const uint8_t end[HEAD_END_SIZE] = "\r\n\r\n";
    if (byte == end[frames->matched])
        frames->matched++;
    else
        frames->matched = byte == '\r';
}

/* The length is known: what is left of the frame is its mask and its payload. */
static void settle(struct frames *frames)
{
    if (frames->length > INT64_MAX)
        frames->refused = true;
    else
        frames->left = frames->length + MASK_SIZE;
}

static void begin(struct frames *frames, uint8_t second)
{
    uint8_t length = second & LENGTH_BITS;
    if ((second & MASKED) == 0) {
        frames->refused = true;
        return;
    }
    frames->lengths = length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
    frames->length = frames->lengths > 0 ? 0 : length;
    if (frames->lengths == 0)
        settle(frames);
}

bool frames_begun(const struct frames *frames)
{
    return frames->matched == HEAD_END_SIZE;
}

size_t frames_pass(struct frames *frames, struct bytes input)
{
    size_t at = 0;
    if (!frames_begun(frames)) {
        while (at < input.size && !frames_begun(frames))
            match(frames, input.data[at++]);
        return at;
    }
    while (at < input.size && !frames->refused) {
        size_t rest = input.size - at;
        if (frames->left > 0) {
            size_t part = frames->left < rest ? (size_t)frames->left : rest;
            frames->left -= part;
            at += part;
        } else if (frames->lengths > 0) {
            frames->length = frames->length << 8 | input.data[at++];
            if (--frames->lengths == 0)
                settle(frames);
        } else if (rest < 2) {
            break;
        } else {
            begin(frames, input.data[at + 1]);
            at += frames->refused ? 0 : 2;
        }
    }
    return at;
}
