/* SPDX-License-Identifier: ISC */
/* Chat items out of a tunnel: what is read can be written, and then reads the same. */
#include <stdlib.h>

#include "wire/chat.h"
#include "wire/tlv.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool write_again(struct buffer *out, const struct chat_item *chat, struct bytes text)
{
    switch (chat->subtype) {
    case CHAT_TEXT:
        return chat_text_write(out, chat->flags, chat->time, text);
    case CHAT_STATUS:
        return chat_status_write(out, chat->flags, text);
    case CHAT_AVATAR:
        return chat_avatar_write(out, chat->avatar);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer text = buffer_make(2 * ITEM_SIZE_MAX), item = buffer_make(2 * ITEM_SIZE_MAX);
    struct buffer again = buffer_make(2 * ITEM_SIZE_MAX);
    struct chat_item chat, second;
    if (chat_parse(&chat, &text, bytes_of(data, size))) {
        struct bytes view = buffer_view(&text);
        require(utf8_valid(view) && !tlv_text_blanked(view));
        for (size_t i = 0; i < view.size; i++)
            require(view.data[i] >= ' ' || view.data[i] == '\n' || view.data[i] == '\t');
        /* A status grows when its control characters are replaced: only then can it pass the size of an item.
         */
        if (write_again(&item, &chat, view)) {
            require(chat_parse(&second, &again, buffer_view(&item)));
            require(second.subtype == chat.subtype && second.flags == chat.flags && second.time == chat.time);
            require(bytes_equal(second.avatar, chat.avatar) && bytes_equal(buffer_view(&again), view));
        } else {
            require(chat.subtype == CHAT_STATUS && view.size + 18 > ITEM_SIZE_MAX);
        }
    } else {
        require(buffer_size(&text) == 0);
    }
    buffer_free(&again);
    buffer_free(&item);
    buffer_free(&text);
    return 0;
}
