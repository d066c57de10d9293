/* SPDX-License-Identifier: ISC */
#include "distant/post_channel.h"

#include <openssl/crypto.h>
#include <string.h>

enum { RECORD_MAX = POST_SLICE_SIZE + 64 };

void post_channel_wipe(struct post_channel *channel)
{
    OPENSSL_cleanse(channel, sizeof *channel);
}

bool post_channel_agree(struct post_channel *channel, const struct post_agreement *agreement)
{
    post_channel_wipe(channel);
    if (!post_agree(&channel->keys, agreement)) {
        post_channel_wipe(channel);
        return false;
    }
    const uint8_t *ephemeral = agreement->sender ? agreement->own->public_key : agreement->peer;
    channel->there = true;
    channel->sender = agreement->sender;
    memcpy(channel->ephemeral, ephemeral, sizeof channel->ephemeral);
    return true;
}

bool post_channel_write(struct post_channel *channel, struct buffer *item, const struct post_record *record)
{
    struct buffer plain = buffer_make(RECORD_MAX), sealed = buffer_make(RECORD_MAX + POST_TAG_SIZE);
    struct post_frame frame = {.counter = ++channel->said};
    if (channel->sender)
        frame.ephemeral = bytes_of(channel->ephemeral, sizeof channel->ephemeral);
    bool written = channel->sender ? post_forth_write(&plain, record) : post_back_write(&plain, record);
    written = written && post_seal(&sealed, channel->sender ? channel->keys.forth : channel->keys.back,
                                   channel->ephemeral, frame.counter, buffer_view(&plain));
    frame.sealed = buffer_view(&sealed);
    written = written && post_frame_write(item, channel->sender ? POST_FORTH : POST_BACK, &frame);
    buffer_free(&plain);
    buffer_free(&sealed);
    return written;
}

bool post_channel_open(struct post_channel *channel, struct buffer *plain, const struct post_frame *frame)
{
    const uint8_t *key = channel->sender ? channel->keys.back : channel->keys.forth;
    if (!channel->there || frame->counter <= channel->heard ||
        !post_unseal(plain, key, channel->ephemeral, frame->counter, frame->sealed))
        return false;
    channel->heard = frame->counter;
    return true;
}

bool post_allow(struct post_allowance *allowance, unsigned burst, uint64_t now)
{
    if (allowance->used >= burst && now - allowance->since < POST_ALLOWED_MS)
        return false;
    if (allowance->used < burst)
        allowance->used++;
    allowance->since = now;
    return true;
}
