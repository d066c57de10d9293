/* SPDX-License-Identifier: ISC */
/* Keys of a direction, a counter, then bytes of the network: as the other's announcement, as a frame, and as
 * the plaintext of one. What opens is sealed again to the same frame. */
#include <stdlib.h>
#include <string.h>

#include "crypto/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sealed_cipher *cipher;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void as_announcement(const uint8_t *data)
{
    struct random_seeded seeded;
    const struct random_source source = random_from_seed(&seeded, 1);
    struct sealed_ephemeral own;
    struct sealed_keys keys;
    const uint8_t secret[SEALED_ROOT_SIZE] = {1};
    require(sealed_ephemeral_new(&own, SEALED_ANSWERER, &source));
    const struct sealed_handshake handshake = {.mode = SEALED_ROOTED,
                                               .side = SEALED_ANSWERER,
                                               .secret = bytes_of(secret, sizeof(secret)),
                                               .own = &own,
                                               .peer = data};
    bool good = sealed_derive(&keys, &handshake);
    require(!good || data[0] == 0x20);
    static const struct sealed_keys wiped;
    require(good || memcmp(&keys, &wiped, sizeof(keys)) == 0);
}

static void as_frame(const struct sealed_direction *direction, struct bytes frame, struct buffer *plain,
                     struct buffer *again)
{
    uint64_t counter;
    buffer_clear(plain);
    buffer_clear(again);
    if (!sealed_frame_open(cipher, plain, direction, &counter, frame)) {
        require(buffer_size(plain) == 0);
        return;
    }
    require(sealed_frame_seal(cipher, again, direction, counter, buffer_view(plain)));
    require(bytes_equal(buffer_view(again), frame));
}

static void as_plaintext(const struct sealed_direction *direction, uint64_t counter, struct bytes plain,
                         struct buffer *frame, struct buffer *opened)
{
    uint64_t found;
    buffer_clear(frame);
    buffer_clear(opened);
    require(sealed_frame_seal(cipher, frame, direction, counter, plain));
    require(sealed_frame_open(cipher, opened, direction, &found, buffer_view(frame)));
    require(found == counter && bytes_equal(buffer_view(opened), plain));
    size_t at = (size_t)(counter % buffer_size(frame));
    frame->memory[frame->start + at] ^= (uint8_t)(1 << (counter >> 32) % 8);
    require(!sealed_frame_open(cipher, opened, direction, &found, buffer_view(frame)));
    require(bytes_equal(buffer_view(opened), plain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!cipher)
        cipher = sealed_cipher_new();
    struct sealed_direction direction;
    struct reader reader = reader_of(bytes_of(data, size));
    read_copy(&reader, direction.key, sizeof(direction.key));
    read_copy(&reader, direction.mask, sizeof(direction.mask));
    uint64_t counter = read_u64(&reader);
    if (!cipher || reader.failed)
        return 0;
    struct bytes rest = read_bytes(&reader, reader.left);
    struct buffer one = buffer_make(2 * size), two = buffer_make(2 * size);
    if (rest.size >= SEALED_ANNOUNCEMENT_SIZE)
        as_announcement(rest.data);
    as_frame(&direction, rest, &one, &two);
    as_plaintext(&direction, counter, rest, &one, &two);
    buffer_free(&one);
    buffer_free(&two);
    return 0;
}
