/* SPDX-License-Identifier: ISC */
/* A key, an ephemeral key and a counter, then bytes of the network: as a frame, as a hidden greeting, as the
 * other's public key, and as the plaintext of a frame. What opens is sealed again to the same bytes; what does
 * not leaves nothing. */
#include <stdlib.h>
#include <string.h>

#include "crypto/post_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tunnel {
    uint8_t key[32], ephemeral[32];
    uint64_t counter;
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void as_key(const struct tunnel *tunnel, const uint8_t *peer)
{
    static const struct post_keys none;
    struct random_seeded seeded;
    const struct random_source source = random_from_seed(&seeded, tunnel->counter);
    struct post_pair own;
    struct post_keys keys;
    require(post_pair_new(&own, &source));
    struct post_agreement agreement = {.sender = tunnel->counter % 2 == 0,
                                       .own = &own,
                                       .peer = peer,
                                       .secret = tunnel->counter % 3 == 0 ? tunnel->key : NULL};
    if (!post_agree(&keys, &agreement))
        require(memcmp(&keys, &none, sizeof keys) == 0);
    else
        require(memcmp(keys.forth, keys.back, sizeof keys.forth) != 0);
}

static void as_sealed(const struct tunnel *tunnel, struct bytes sealed, struct buffer *plain,
                      struct buffer *again)
{
    if (!post_unseal(plain, tunnel->key, tunnel->ephemeral, tunnel->counter, sealed)) {
        require(buffer_size(plain) == 0);
        return;
    }
    require(post_seal(again, tunnel->key, tunnel->ephemeral, tunnel->counter, buffer_view(plain)));
    require(bytes_equal(buffer_view(again), sealed));
}

static void as_hidden(const struct tunnel *tunnel, struct bytes hidden, struct buffer *plain)
{
    if (!post_unhide(plain, tunnel->key, tunnel->ephemeral, tunnel->ephemeral + 12, hidden))
        require(buffer_size(plain) == 0);
}

static void as_plaintext(const struct tunnel *tunnel, struct bytes plain, struct buffer *sealed,
                         struct buffer *opened)
{
    struct tunnel other = *tunnel;
    require(post_seal(sealed, tunnel->key, tunnel->ephemeral, tunnel->counter, plain));
    require(buffer_size(sealed) == plain.size + POST_TAG_SIZE);
    require(post_unseal(opened, tunnel->key, tunnel->ephemeral, tunnel->counter, buffer_view(sealed)));
    require(bytes_equal(buffer_view(opened), plain));
    switch (tunnel->counter % 4) {
    case 0:
        other.counter++;
        break;
    case 1:
        other.ephemeral[tunnel->counter / 4 % 32] ^= 1;
        break;
    case 2:
        other.key[tunnel->counter / 4 % 32] ^= 0x80;
        break;
    default:
        sealed->memory[sealed->start + (size_t)(tunnel->counter / 4 % buffer_size(sealed))] ^= 1;
    }
    require(!post_unseal(opened, other.key, other.ephemeral, other.counter, buffer_view(sealed)));
    require(bytes_equal(buffer_view(opened), plain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tunnel tunnel;
    struct reader reader = reader_of(bytes_of(data, size));
    read_copy(&reader, tunnel.key, sizeof tunnel.key);
    read_copy(&reader, tunnel.ephemeral, sizeof tunnel.ephemeral);
    tunnel.counter = read_u64(&reader);
    if (reader.failed)
        return 0;
    struct bytes rest = read_bytes(&reader, reader.left);
    struct buffer one = buffer_make(2 * size), two = buffer_make(2 * size);
    if (rest.size >= 32)
        as_key(&tunnel, rest.data);
    as_hidden(&tunnel, rest, &one);
    buffer_clear(&one);
    as_sealed(&tunnel, rest, &one, &two);
    buffer_clear(&one);
    buffer_clear(&two);
    as_plaintext(&tunnel, rest, &one, &two);
    buffer_free(&one);
    buffer_free(&two);
    return 0;
}
