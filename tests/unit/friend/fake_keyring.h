/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_FRIEND_FAKE_KEYRING_H
#define RETROGATE_TESTS_FRIEND_FAKE_KEYRING_H

#include "fixture.h"

/* Instead of the keyring program: knows the recorded certificates and answers from the loop. */

struct keyring {
    uv_timer_t timer;
    uint64_t last_id;
    unsigned verified, checked; /* requests */
    enum error_code verdict;    /* of all signatures; 0: by the recorded certificates */
    bool mute;                  /* never answers */
    struct fake_request {
        uint64_t id;
        bool verify;
        struct buffer certificate, block;
        uint8_t fingerprint[20];
        keyring_fn *done;
        void *arg;
    } requests[8];
};

static struct keyring the_fake;

static void fake_answer(uv_timer_t *timer)
{
    struct keyring *keyring = timer->data;
    for (size_t i = 0; i < 8; i++) {
        struct fake_request request = keyring->requests[i];
        if (!request.id || keyring->mute)
            continue;
        keyring->requests[i].id = 0;
        struct keyring_answer answer = {.error = NULL};
        struct error *error = NULL;
        struct location location = {0};
        if (request.verify) {
            bool known = false;
            for (size_t n = 0; n < NODES; n++) {
                const struct node *node = &fixture_now->nodes[n];
                known |= bytes_equal(buffer_view(&request.certificate), buffer_view(&node->certificate)) &&
                         bytes_equal(buffer_view(&request.block), buffer_view(&node->key_block)) &&
                         memcmp(request.fingerprint, node->identity.fingerprint, 20) == 0;
            }
            location_parse(&location, buffer_view(&request.certificate), NULL);
            memcpy(answer.location, location.id, sizeof answer.location);
            if (keyring->verdict || !known)
                error_set(&error, keyring->verdict ? keyring->verdict : ERROR_DENIED, "signature");
        } else {
            answer.block = buffer_view(&request.block);
            if (keyring->verdict)
                error_set(&error, keyring->verdict, "key");
        }
        answer.error = error;
        request.done(request.arg, &answer);
        error_free(error);
        buffer_free(&request.certificate);
        buffer_free(&request.block);
    }
}

static uint64_t fake_request(struct keyring *keyring, struct fake_request request)
{
    for (size_t i = 0; i < 8; i++) {
        if (keyring->requests[i].id)
            continue;
        request.id = ++keyring->last_id;
        keyring->requests[i] = request;
        uv_timer_start(&keyring->timer, fake_answer, 0, 0);
        return request.id;
    }
    return 0;
}

static struct buffer copy_of(struct bytes bytes)
{
    struct buffer buffer = buffer_make(bytes.size ? bytes.size : 1);
    assert_true(buffer_append_bytes(&buffer, bytes));
    return buffer;
}

uint64_t keyring_verify_location(struct keyring *keyring, struct bytes certificate, struct bytes key_block,
                                 const uint8_t fingerprint[20], keyring_fn *done, void *arg)
{
    struct fake_request request = {
        .verify = true,
        .certificate = copy_of(certificate),
        .block = copy_of(key_block),
        .done = done,
        .arg = arg,
    };
    memcpy(request.fingerprint, fingerprint, 20);
    keyring->verified++;
    return fake_request(keyring, request);
}

uint64_t keyring_check_key(struct keyring *keyring, struct bytes key_block, keyring_fn *done, void *arg)
{
    keyring->checked++;
    return fake_request(keyring,
                        (struct fake_request){.block = copy_of(key_block), .done = done, .arg = arg});
}

void keyring_cancel(struct keyring *keyring, uint64_t request)
{
    for (size_t i = 0; i < 8; i++) {
        if (request == 0 || keyring->requests[i].id != request)
            continue;
        keyring->requests[i].id = 0;
        buffer_free(&keyring->requests[i].certificate);
        buffer_free(&keyring->requests[i].block);
    }
}

static struct keyring *fixture_keyring_start(uv_loop_t *loop)
{
    the_fake = (struct keyring){.last_id = 0};
    uv_timer_init(loop, &the_fake.timer);
    the_fake.timer.data = &the_fake;
    return &the_fake;
}

static void fixture_keyring_stop(struct keyring *keyring)
{
    for (size_t i = 0; i < 8; i++)
        keyring_cancel(keyring, keyring->requests[i].id);
    uv_close((uv_handle_t *)&keyring->timer, NULL);
}

static void fixture_keyring_end(void)
{
}

#endif
