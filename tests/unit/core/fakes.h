/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_CORE_FAKES_H
#define RETROGATE_TESTS_CORE_FAKES_H

/* Stands in for the keyring program and for the friend links. Included once per program: these definitions
 * are taken instead of those of the rooms' libraries. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "crypto/openpgp.h"
#include "friend/friends.h"
#include "keyring/keyring.h"
#include "wire/post.h"

/* --- keys: RSA key packets of random numbers and a user id, enough for every reader but GnuPG */

static inline void fake_key(struct buffer *block, unsigned number, const char *name)
{
    struct random_seeded state;
    struct random_source random = random_from_seed(&state, number);
    uint8_t n[128];
    random.fill(random.state, n, sizeof n);
    n[0] |= 0x80;
    n[127] |= 1;
    const uint8_t head[] = {0x99, 0, 141, 4, 0x60, 0, 0, 1, 1, 4, 0}, e[] = {0, 17, 1, 0, 1};
    uint8_t user[2] = {0xb4, (uint8_t)strlen(name)};
    buffer_append(block, head, sizeof head);
    buffer_append(block, n, sizeof n);
    buffer_append(block, e, sizeof e);
    buffer_append(block, user, sizeof user);
    buffer_append_string(block, name);
}

/* --- the keyring */

struct fake_invite {
    uint8_t hash[20], key[16], signer[20], addressee[20];
    int64_t expires;
    enum keyring_sealing sealing;
};

struct fake_request {
    struct fake_request *prev, *next;
    uint64_t id;
    keyring_fn *done;
    void *arg;
    struct keyring_answer answer;
    struct buffer block;
    struct fake_invite invite;
    struct error error;
};

struct keyring {
    uv_timer_t timer;
    uint64_t last_id;
    struct fake_request *requests;
    bool hold;            /* answers wait */
    bool refuse;          /* takes no requests */
    enum error_code fail; /* of what is asked from now on */
    bool forge;           /* the next key checked gets a fingerprint of which only the short id is right */
    unsigned keys, forgotten;
    bool unsigned_expiry, unbound; /* invites opened from now on */
    unsigned sealed, classic;      /* posts */
    bool mute;                     /* greets nobody */
};

static struct keyring the_keyring;

static inline void fake_answer_all(struct keyring *keyring, const struct error *instead)
{
    struct fake_request *request;
    while ((request = keyring->requests) != NULL) {
        DL_DELETE(keyring->requests, request);
        struct keyring_answer answer = {.error = instead};
        if (instead == NULL) {
            answer = request->answer;
            answer.error = request->error.code != 0 ? &request->error : NULL;
        }
        request->done(request->arg, &answer);
        buffer_free(&request->block);
        free(request);
    }
}

static inline void fake_tick(uv_timer_t *timer)
{
    struct keyring *keyring = timer->data;
    if (!keyring->hold)
        fake_answer_all(keyring, NULL);
}

static inline void fake_release(void)
{
    the_keyring.hold = false;
    uv_timer_start(&the_keyring.timer, fake_tick, 0, 0);
}

static inline struct fake_request *fake_ask(struct keyring *keyring, keyring_fn *done, void *arg)
{
    struct fake_request *request = keyring->refuse ? NULL : calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->id = ++keyring->last_id;
    request->done = done;
    request->arg = arg;
    request->error.code = keyring->fail;
    request->block = buffer_make(1 << 16);
    DL_APPEND(keyring->requests, request);
    uv_timer_start(&keyring->timer, fake_tick, 0, 0);
    return request;
}

struct keyring *keyring_start(uv_loop_t *loop, const struct keyring_options *options, struct error **error)
{
    (void)options;
    (void)error;
    unsigned keys = the_keyring.keys;
    the_keyring = (struct keyring){.keys = keys};
    uv_timer_init(loop, &the_keyring.timer);
    the_keyring.timer.data = &the_keyring;
    return &the_keyring;
}

void keyring_stop(struct keyring *keyring)
{
    keyring->refuse = true;
    fake_answer_all(keyring, &(struct error){ERROR_UNAVAILABLE, "the keyring is stopping"});
    uv_close((uv_handle_t *)&keyring->timer, NULL);
}

static inline void fake_public(struct fake_request *request)
{
    struct openpgp_key key;
    struct error *error = NULL;
    if (!openpgp_key_parse(&key, buffer_view(&request->block), &error)) {
        request->error = *error;
        error_free(error);
        return;
    }
    memcpy(request->answer.fingerprint, key.fingerprint, 20);
    request->answer.block = buffer_view(&request->block);
}

uint64_t keyring_create(struct keyring *keyring, const struct keyring_secret *secret, const char *name,
                        bool node, keyring_progress_fn *progress, keyring_fn *done, void *arg)
{
    (void)secret;
    (void)node;
    struct fake_request *request = fake_ask(keyring, done, arg);
    if (request == NULL)
        return 0;
    if (progress != NULL)
        progress(arg, "primes");
    fake_key(&request->block, 1000 + ++keyring->keys, name);
    fake_public(request);
    return request->id;
}

uint64_t keyring_import_secret(struct keyring *keyring, const struct keyring_secret *secret, struct bytes key,
                               struct bytes old_passphrase, bool node, keyring_fn *done, void *arg)
{
    (void)key;
    (void)old_passphrase;
    return keyring_create(keyring, secret, "imported", node, NULL, done, arg);
}

uint64_t keyring_location_new(struct keyring *keyring, const struct keyring_secret *node, keyring_fn *done,
                              void *arg)
{
    (void)node;
    struct fake_request *request = fake_ask(keyring, done, arg);
    if (request == NULL)
        return 0;
    request->answer.block = bytes_of_string("certificate");
    request->answer.private_key = bytes_of_string("private");
    memset(request->answer.location, 7, 16);
    return request->id;
}

uint64_t keyring_verify_location(struct keyring *keyring, struct bytes certificate, struct bytes key_block,
                                 const uint8_t fingerprint[20], keyring_fn *done, void *arg)
{
    (void)certificate;
    (void)key_block;
    (void)fingerprint;
    struct fake_request *request = fake_ask(keyring, done, arg);
    return request != NULL ? request->id : 0;
}

uint64_t keyring_check_key(struct keyring *keyring, struct bytes key_block, keyring_fn *done, void *arg)
{
    struct fake_request *request = fake_ask(keyring, done, arg);
    if (request == NULL)
        return 0;
    buffer_append_bytes(&request->block, key_block);
    fake_public(request);
    if (keyring->forge)
        request->answer.fingerprint[0] ^= 1;
    keyring->forge = false;
    return request->id;
}

uint64_t keyring_invite_new(struct keyring *keyring, const struct keyring_secret *account,
                            const struct keyring_invite *invite, keyring_fn *done, void *arg)
{
    struct fake_request *request = fake_ask(keyring, done, arg);
    struct openpgp_key key = {0};
    if (request == NULL)
        return 0;
    openpgp_key_parse(&key, invite->addressee, NULL);
    memcpy(request->invite.hash, invite->hash, 20);
    memcpy(request->invite.key, invite->key, 16);
    memcpy(request->invite.signer, account->fingerprint, 20);
    memcpy(request->invite.addressee, key.fingerprint, 20);
    request->invite.expires = invite->expires;
    request->invite.sealing = invite->sealing;
    request->answer.link_blob = bytes_of(&request->invite, sizeof request->invite);
    return request->id;
}

uint64_t keyring_invite_open(struct keyring *keyring, const struct keyring_secret *account, struct bytes blob,
                             struct bytes inviter, keyring_fn *done, void *arg)
{
    struct fake_request *request = fake_ask(keyring, done, arg);
    struct openpgp_key key = {0};
    if (request == NULL)
        return 0;
    openpgp_key_parse(&key, inviter, NULL);
    if (blob.size != sizeof request->invite) {
        request->error = (struct error){ERROR_DENIED, "the invite does not decrypt"};
        return request->id;
    }
    memcpy(&request->invite, blob.data, sizeof request->invite);
    const struct fake_invite *invite = &request->invite;
    memcpy(request->answer.fingerprint, invite->signer, 20);
    if (memcmp(invite->addressee, account->fingerprint, 20) != 0)
        request->error = (struct error){ERROR_DENIED, "the invite does not decrypt"};
    else if (inviter.size == 0)
        request->error = (struct error){ERROR_NOT_FOUND, "no inviter was given"};
    else if (memcmp(key.fingerprint, invite->signer, 20) != 0)
        request->error = (struct error){ERROR_DENIED, "another inviter"};
    memcpy(request->answer.hash, invite->hash, 20);
    memcpy(request->answer.key, invite->key, 16);
    request->answer.expires = keyring->unsigned_expiry ? 0 : invite->expires;
    request->answer.addressee_bound = !keyring->unbound;
    request->answer.sealed = !keyring->unbound && invite->sealing != KEYRING_SEALING_NONE;
    request->answer.sealed_only = !keyring->unbound && invite->sealing == KEYRING_SEALING_ONLY;
    return request->id;
}

/* --- posts: a message is "letter" or "classic", the addressee's fingerprint and the plaintext, as it is. A
 * signature is the signer's fingerprint and the digest of what is signed. */

enum { FAKE_HEAD = 7, FAKE_SIGNATURE = 20 + 32 };

static inline void fake_sign(struct buffer *out, const uint8_t signer[20], struct bytes covered)
{
    uint8_t digest[32];
    EVP_Digest(covered.data, covered.size, digest, NULL, EVP_sha256(), NULL);
    buffer_append(out, signer, 20);
    buffer_append(out, digest, sizeof digest);
}

static inline bool fake_write_post(struct buffer *plain, const struct keyring_secret *account,
                                   const struct keyring_post *post, const uint8_t addressee[20])
{
    if (post->sealed) {
        struct post_letter letter = {.time = post->time, .content = post->content};
        memcpy(letter.sender, account->fingerprint, 20);
        memcpy(letter.recipient, addressee, 20);
        memcpy(letter.message_id, post->message_id, sizeof letter.message_id);
        if (!post_letter_write(plain, &letter))
            return false;
    } else {
        struct post_inner_fields fields = {.sign = post->sign,
                                           .time = (uint32_t)(post->time / 1000),
                                           .subject = post->subject,
                                           .body = post->body,
                                           .to = post->to,
                                           .cc = post->cc};
        memcpy(fields.sender, account->fingerprint + 12, sizeof fields.sender);
        if (!post_inner_write(plain, &fields))
            return false;
    }
    if (post->sealed || post->sign)
        fake_sign(plain, account->fingerprint, buffer_view(plain));
    return true;
}

uint64_t keyring_post_seal(struct keyring *keyring, const struct keyring_secret *account,
                           const struct keyring_post *post, keyring_fn *done, void *arg)
{
    struct fake_request *request = fake_ask(keyring, done, arg);
    struct openpgp_key key = {0};
    struct buffer plain = buffer_make(KEYRING_POST_LIMIT);
    if (request == NULL)
        return 0;
    keyring->sealed += post->sealed;
    keyring->classic += !post->sealed;
    openpgp_key_parse(&key, post->addressee, NULL);
    request->block = buffer_make(KEYRING_POST_LIMIT);
    if (!fake_write_post(&plain, account, post, key.fingerprint))
        request->error = (struct error){ERROR_INVALID, "it cannot be written"};
    buffer_append_string(&request->block, post->sealed ? "letter " : "classic");
    buffer_append(&request->block, key.fingerprint, 20);
    buffer_append_bytes(&request->block, buffer_view(&plain));
    buffer_free(&plain);
    request->answer.text = buffer_view(&request->block);
    return request->id;
}

uint64_t keyring_post_open(struct keyring *keyring, const struct keyring_secret *account,
                           struct bytes message, keyring_fn *done, void *arg)
{
    struct fake_request *request = fake_ask(keyring, done, arg);
    if (request == NULL)
        return 0;
    request->block = buffer_make(KEYRING_POST_LIMIT);
    if (message.size < FAKE_HEAD + 20)
        request->error = (struct error){ERROR_INVALID, "it is not a message"};
    else if (memcmp(message.data + FAKE_HEAD, account->fingerprint, 20) != 0)
        request->error = (struct error){ERROR_DENIED, "it is for another key"};
    else
        buffer_append(&request->block, message.data + FAKE_HEAD + 20, message.size - FAKE_HEAD - 20);
    request->answer.text = buffer_view(&request->block);
    return request->id;
}

static inline uint64_t fake_verify(struct keyring *keyring, struct bytes covered, struct bytes signature,
                                   const uint8_t fingerprint[20], keyring_fn *done, void *arg)
{
    struct fake_request *request = fake_ask(keyring, done, arg);
    if (request == NULL)
        return 0;
    fake_sign(&request->block, fingerprint, covered);
    if (!bytes_equal(signature, buffer_view(&request->block)))
        request->error = (struct error){ERROR_DENIED, "the signature does not verify"};
    request->answer.signed_at = clock_wall_ms() / 1000;
    return request->id;
}

uint64_t keyring_post_verify(struct keyring *keyring, struct bytes plain, struct bytes signature, bool sealed,
                             struct bytes key_block, const uint8_t fingerprint[20], keyring_fn *done,
                             void *arg)
{
    (void)sealed;
    (void)key_block;
    return fake_verify(keyring, plain, signature, fingerprint, done, arg);
}

uint64_t keyring_post_greet(struct keyring *keyring, const struct keyring_secret *account,
                            const uint8_t day_key[32], keyring_fn *done, void *arg)
{
    struct fake_request *request = fake_ask(keyring, done, arg);
    if (request == NULL)
        return 0;
    fake_sign(&request->block, account->fingerprint, bytes_of(day_key, 32));
    if (keyring->mute)
        request->error = (struct error){ERROR_UNAVAILABLE, "no day key is signed"};
    request->answer.text = buffer_view(&request->block);
    return request->id;
}

uint64_t keyring_post_check(struct keyring *keyring, const uint8_t day_key[32], struct bytes signature,
                            struct bytes key_block, const uint8_t fingerprint[20], keyring_fn *done,
                            void *arg)
{
    (void)key_block;
    return fake_verify(keyring, bytes_of(day_key, 32), signature, fingerprint, done, arg);
}

uint64_t keyring_forget(struct keyring *keyring, const char *home, keyring_fn *done, void *arg)
{
    keyring->forgotten += strcmp(home, "node") != 0;
    struct fake_request *request = fake_ask(keyring, done, arg);
    return request != NULL ? request->id : 0;
}

void keyring_cancel(struct keyring *keyring, uint64_t id)
{
    struct fake_request *request;
    DL_FOREACH(keyring->requests, request)
    {
        if (request->id != id)
            continue;
        DL_DELETE(keyring->requests, request);
        buffer_free(&request->block);
        free(request);
        return;
    }
}

/* --- the friend links: none ever comes up */

struct friends {
    const struct friends_events *events;
    void *arg;
    unsigned friends, dialled;
    uint32_t neighbour; /* of every friend's link */
};

static struct friends the_friends;

struct friends *friends_open(uv_loop_t *loop, const struct friends_identity *identity,
                             const struct friends_options *options, struct keyring *keyring,
                             const struct friends_events *events, void *arg, struct error **error)
{
    (void)loop;
    (void)identity;
    (void)options;
    (void)keyring;
    (void)error;
    the_friends = (struct friends){.events = events, .arg = arg};
    return &the_friends;
}

void friends_close(struct friends *friends, void (*closed)(void *arg), void *arg)
{
    (void)friends;
    closed(arg);
}

bool friends_add(struct friends *friends, const struct friend_record *record, struct error **error)
{
    (void)record;
    (void)error;
    friends->friends++;
    return true;
}

bool friends_update(struct friends *friends, const struct friend_record *record, struct error **error)
{
    (void)friends;
    (void)record;
    (void)error;
    return true;
}

void friends_remove(struct friends *friends, const uint8_t location[16])
{
    (void)location;
    friends->friends--;
}

bool friends_status(const struct friends *friends, const uint8_t location[16], struct friend_status *out)
{
    (void)location;
    *out = (struct friend_status){.reason = "there is no network here", .neighbour = friends->neighbour};
    return true;
}

size_t friends_count(const struct friends *friends, size_t *up)
{
    *up = 0;
    return friends->friends;
}

size_t friends_attempts(const struct friends *friends, struct friend_attempt *out, size_t max)
{
    (void)friends;
    (void)max;
    out[0] = (struct friend_attempt){.issuer = "0123456789ABCDEF", .reason = "no friend", .count = 2};
    out[0].address.ss_family = AF_INET;
    return 1;
}

void friends_connect_now(struct friends *friends, const uint8_t location[16])
{
    (void)location;
    friends->dialled++;
}

bool friends_send(struct friends *friends, uint32_t neighbour, unsigned priority, struct bytes item)
{
    (void)friends;
    (void)neighbour;
    (void)priority;
    (void)item;
    return false;
}

void friends_set_name(struct friends *friends, const char *location_name)
{
    (void)friends;
    (void)location_name;
}

size_t friends_listening(const struct friends *friends, struct sockaddr_storage *out, size_t max)
{
    (void)friends;
    (void)out;
    (void)max;
    return 0;
}

bool friends_own_text(const struct friends *friends, struct buffer *out, bool short_invite)
{
    (void)friends;
    return buffer_append_string(out, short_invite ? "short" : "full");
}

#endif
