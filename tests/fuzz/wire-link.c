/* SPDX-License-Identifier: ISC */
/* retroshare:// links: read as they are, and found in a text. What we write reads back. */
#include <stdlib.h>
#include <string.h>

#include "wire/link.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_private_chat(const struct link *link)
{
    struct buffer out = buffer_make(2 * LINK_TEXT_MAX);
    struct link again;
    require(link_write_private_chat(&out, link->time_stamp, link->pgp_id, buffer_view(&link->blob),
                                    link->sealed));
    require(link_parse(&again, buffer_view(&out), NULL) && again.kind == LINK_PRIVATE_CHAT);
    require(again.time_stamp == link->time_stamp && strcmp(again.pgp_id, link->pgp_id) == 0);
    require(again.sealed == link->sealed && bytes_equal(buffer_view(&again.blob), buffer_view(&link->blob)));
    link_free(&again);
    buffer_free(&out);
}

static void check_certificate(const struct link *link)
{
    static const uint8_t fingerprint[20];
    struct buffer out = buffer_make(4 * LINK_TEXT_MAX);
    struct link again;
    require(link_write_certificate(&out, fingerprint, link->name, buffer_view(&link->blob)));
    if (buffer_size(&out) <= LINK_TEXT_MAX) {
        require(link_parse(&again, buffer_view(&out), NULL) && strcmp(again.name, link->name) == 0);
        require(bytes_equal(buffer_view(&again.blob), buffer_view(&link->blob)));
        link_free(&again);
    }
    buffer_free(&out);
}

static void check(struct bytes text)
{
    struct error *error = NULL;
    struct link link;
    if (!link_parse(&link, text, &error)) {
        require(error != NULL && link.blob.memory == NULL);
        error_free(error);
        return;
    }
    require(error == NULL && utf8_valid(bytes_of_string(link.name)) &&
            utf8_valid(bytes_of_string(link.subject)));
    /* Written in full, a link near the limit may pass it: the encoder pads. */
    if (link.kind == LINK_PRIVATE_CHAT && text.size < LINK_TEXT_MAX / 2)
        check_private_chat(&link);
    if (link.kind == LINK_CERTIFICATE)
        check_certificate(&link);
    link_free(&link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size), found, again;
    check(text);
    if (link_find(text, &found)) {
        require(found.data >= data && found.size <= size - (size_t)(found.data - data));
        require(link_find(found, &again) && bytes_equal(again, found));
        check(found);
    }
    return 0;
}
