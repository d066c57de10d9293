/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "crypto/openpgp.h"

/* The first byte says what the rest is read as. */
enum { AS_KEY, AS_MESSAGE, AS_SIGNATURE, AS_TEXT, AS_SECRET_TEXT, AS_SECRET, AS_LITERAL, KINDS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What was cleaned is taken, is the same key, and has nothing left to clean. */
static void read_key(struct bytes input)
{
    struct openpgp_key key, again;
    struct buffer clean = buffer_make(1 << 17), twice = buffer_make(1 << 17);
    if (openpgp_screen_key(&clean, input, NULL)) {
        require(openpgp_key_parse(&key, input, NULL));
        require(openpgp_key_parse(&again, buffer_view(&clean), NULL));
        require(memcmp(key.fingerprint, again.fingerprint, 20) == 0);
        require(openpgp_screen_key(&twice, buffer_view(&clean), NULL));
        require(bytes_equal(buffer_view(&clean), buffer_view(&twice)));
        require(strlen(key.name) < sizeof(key.name) && strlen(key.user_id) < sizeof(key.user_id));
    }
    buffer_free(&clean);
    buffer_free(&twice);
}

/* One that is taken has its text at its end. */
static void read_literal(struct bytes input)
{
    struct bytes text;
    if (openpgp_screen_literal(&text, input, NULL))
        require(text.size <= input.size && text.data + text.size == input.data + input.size);
}

/* A key that signs nothing: no packet may be taken as its. */
static void verify_signature(struct bytes input)
{
    static uint8_t n[128] = {0xff, [127] = 0xff}, e[] = {1, 0, 1}, body[] = {4, 0, 0, 0, 0, 1};
    struct openpgp_key key = {
        .bits = 1024, .n = {n, sizeof(n)}, .e = {e, sizeof(e)}, .public_body = {body, sizeof(body)}};
    struct openpgp_signature_info info;
    if (openpgp_screen_signature(&info, input, NULL))
        memcpy(key.id, info.issuer, sizeof(key.id));
    require(!openpgp_verify(&info, &key, input, bytes_of_string("text"), NULL));
}

static void read_signature(struct bytes input)
{
    verify_signature(input);
    struct openpgp_signature_info info;
    struct bytes value;
    if (openpgp_screen_signature(&info, input, NULL) &&
        openpgp_notation(&info, "addressee@retrogate.alt", &value))
        require(value.size <= input.size);
}

static void read_text(struct bytes input, bool secret)
{
    struct buffer block = buffer_make(1 << 18), text = buffer_make(1 << 19), back = buffer_make(1 << 18);
    bool good = secret ? openpgp_dearmor_secret(&block, input, NULL) : openpgp_dearmor(&block, input, NULL);
    if (good && !secret && buffer_size(&block) <= 1 << 16) {
        require(openpgp_armor_key(&text, buffer_view(&block)));
        require(openpgp_dearmor(&back, buffer_view(&text), NULL));
        require(bytes_equal(buffer_view(&block), buffer_view(&back)));
    }
    buffer_free(&block);
    buffer_free(&text);
    buffer_free(&back);
}

static void read_secret(struct bytes input)
{
    struct random_seeded seed;
    struct random_source random = random_from_seed(&seed, 1);
    struct buffer out = buffer_make(1 << 17);
    struct openpgp_key key;
    if (openpgp_secret_rewrap(&out, input, bytes_of_string(""), bytes_of_string("x"), &random, NULL))
        require(openpgp_secret_key_parse(&key, buffer_view(&out), NULL));
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes input = bytes_of(data + 1, size - 1);
    struct openpgp_message_info message;
    switch (data[0] % KINDS) {
    case AS_KEY:
        read_key(input);
        break;
    case AS_MESSAGE:
        if (openpgp_screen_message(&message, input, NULL))
            require(message.recipients >= 1 && message.recipients <= 8);
        break;
    case AS_SIGNATURE:
        read_signature(input);
        break;
    case AS_LITERAL:
        read_literal(input);
        break;
    case AS_SECRET:
        read_secret(input);
        break;
    default:
        read_text(input, data[0] % KINDS == AS_SECRET_TEXT);
    }
    return 0;
}
