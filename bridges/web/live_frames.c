/* SPDX-License-Identifier: ISC */
#include "live_frames.h"

enum {
    MASKED = 0x80,
    LENGTH_BITS = 0x7f,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
    MASK_SIZE = 4,
    HEAD_END_SIZE = 4,
    LENGTH_MAX = 1 << 30, /* far beyond any message: nobody should wait for the rest of it */
};

static void match(struct frames *frames, uint8_t byte)
{
    static const uint8_t end[HEAD_END_SIZE] = "\r\n\r\n";
    if (byte == end[frames->matched])
        frames->matched++;
    else
        frames->matched = byte == '\r';
}

bool frames_begun(const struct frames *frames)
{
    return frames->matched == HEAD_END_SIZE;
}

/* The bytes of a frame's header up to its mask; 0: they are not all there, or it is refused. */
static size_t take_header(struct frames *frames, struct bytes input)
{
    struct reader reader = reader_of(input);
    read_u8(&reader);
    uint8_t second = read_u8(&reader);
    uint64_t length = second & LENGTH_BITS;
    if (reader.failed)
        return 0;
    frames->refused = (second & MASKED) == 0;
    if (length == LENGTH_16)
        length = read_u16(&reader);
    else if (length == LENGTH_64)
        length = read_u64(&reader);
    if (reader.failed || frames->refused)
        return 0;
    frames->refused = length > LENGTH_MAX;
    frames->left = frames->refused ? 0 : length + MASK_SIZE;
    return frames->refused ? 0 : input.size - reader.left;
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
        size_t rest = input.size - at, part;
        if (frames->left > 0) {
            part = frames->left < rest ? (size_t)frames->left : rest;
            frames->left -= part;
        } else {
            part = take_header(frames, bytes_of(input.data + at, rest));
        }
        if (part == 0)
            break;
        at += part;
    }
    return at;
}
