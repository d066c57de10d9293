/* SPDX-License-Identifier: ISC */
#include "keyring/worker.h"

#include <string.h>
#include <time.h>

#include "wire/post.h"

/* Posts (distant/POSTS.md §4, §7; protocol 04 §5). What is signed is built here from fields. */

enum { BLOCK_SIZE_MAX = 64 * 1024, SIGNATURE_SIZE_MAX = 2000, DAY_S = 86400 };

static const char purpose_letter[] = "post", purpose_greeting[] = "post-key";

static bool check_size(struct bytes data, struct error **error)
{
    return data.size <= KEYRING_POST_LIMIT ||
           error_set(error, ERROR_LIMIT, "the post is larger than %d MiB", KEYRING_POST_LIMIT >> 20);
}

static bool sign(const struct request *request, const char *home, const struct openpgp_key *own,
                 const struct openpgp_signing *signing, struct bytes document, struct buffer *packet,
                 struct error **error)
{
    struct openpgp_signing by_us = *signing;
    by_us.created = (uint32_t)time(NULL);
    memcpy(by_us.issuer, own->id, sizeof(own->id));
    if (!pgp_sign(home, own, request->passphrase, &by_us, document, packet, error))
        return false;
    return buffer_size(packet) <= SIGNATURE_SIZE_MAX ||
           error_set(error, ERROR_LIMIT, "the key of this account is too large for posts");
}

static bool write_letter(struct buffer *plain, const struct keyring_post *post, const struct openpgp_key *own,
                         const struct openpgp_key *to)
{
    struct post_letter letter = {.time = post->time, .content = post->content};
    memcpy(letter.sender, own->fingerprint, sizeof(letter.sender));
    memcpy(letter.recipient, to->fingerprint, sizeof(letter.recipient));
    memcpy(letter.message_id, post->message_id, sizeof(letter.message_id));
    return post_letter_write(plain, &letter);
}

static bool write_classic(struct buffer *plain, const struct keyring_post *post,
                          const struct openpgp_key *own)
{
    struct post_inner_fields fields = {.sign = post->sign,
                                       .time = (uint32_t)(post->time / 1000),
                                       .subject = post->subject,
                                       .body = post->body,
                                       .to = post->to,
                                       .cc = post->cc};
    memcpy(fields.sender, own->id, sizeof(fields.sender));
    return post_inner_write(plain, &fields);
}

/* The plaintext with its signature. */
static bool write_post(const struct request *request, const char *home, const struct openpgp_key *own,
                       const struct openpgp_key *to, struct buffer *plain, struct error **error)
{
    const struct keyring_post *post = &request->post;
    if (post->time < 0 || post->time / 1000 > UINT32_MAX)
        return error_set(error, ERROR_INVALID, "the post's time is out of range");
    /* Room also for padding (POSTS.md §7) and signature, so that nothing is moved. */
    if (post->sealed && post->content.size < KEYRING_POST_LIMIT / 4 * 3)
        buffer_reserve(plain, post->content.size + post->content.size / 16 + 4096);
    if (post->sealed ? !write_letter(plain, post, own, to) : !write_classic(plain, post, own))
        return error_set(error, ERROR_INVALID, "the post cannot be written: too large or malformed");
    if (!post->sealed && !post->sign)
        return true;
    char addressee[41];
    hex_upper(addressee, to->fingerprint, sizeof(to->fingerprint));
    struct openpgp_note note = {KEYRING_NOTATION_RECIPIENT, addressee};
    if (post->sealed)
        note = (struct openpgp_note){KEYRING_NOTATION_PURPOSE, purpose_letter};
    struct openpgp_signing signing = {.notations[0] = note};
    struct buffer packet = buffer_make(BLOCK_SIZE_MAX);
    bool good = sign(request, home, own, &signing, buffer_view(plain), &packet, error) &&
                (buffer_append_bytes(plain, buffer_view(&packet)) ||
                 error_set(error, ERROR_LIMIT, "the post is too large"));
    buffer_free(&packet);
    return good;
}

bool act_post_seal(struct worker *worker, const struct request *request, const char *home,
                   struct result *result, struct error **error)
{
    struct buffer own_block = buffer_make(BLOCK_SIZE_MAX), block = buffer_make(BLOCK_SIZE_MAX),
                  plain = buffer_make(KEYRING_POST_LIMIT);
    struct openpgp_key own, to;
    plain.secret = true;
    bool good = worker_own_key(home, request, &own_block, &own, error) &&
                (worker_usable_key(worker, request->key_block, NULL, &block, &to, error) ||
                 error_prefix(error, "the addressee's key")) &&
                write_post(request, home, &own, &to, &plain, error) &&
                openpgp_encrypt(&result->text, &to, buffer_view(&plain), &random_system, error);
    buffer_free(&own_block);
    buffer_free(&block);
    buffer_free(&plain);
    return good;
}

bool act_post_open(struct worker *worker, const struct request *request, const char *home,
                   struct result *result, struct error **error)
{
    (void)worker;
    struct buffer own_block = buffer_make(BLOCK_SIZE_MAX);
    struct openpgp_key own;
    bool good = check_size(request->data, error) &&
                worker_decrypt(home, request, &own_block, &own, &result->text, error);
    buffer_free(&own_block);
    return good;
}

/* Of a signature over this document by the key that the request names; its purpose must be this one, NULL:
 * none. */
static bool check_signature(struct worker *worker, const struct request *request, struct bytes document,
                            const char *purpose, struct openpgp_signature_info *info, struct result *result,
                            struct error **error)
{
    struct buffer block = buffer_make(BLOCK_SIZE_MAX);
    struct openpgp_key key;
    struct bytes found;
    bool good =
        worker_usable_key(worker, request->key_block, request->fingerprint, &block, &key, error) &&
        (request->signature.size <= SIGNATURE_SIZE_MAX ||
         error_set(error, ERROR_LIMIT, "the signature is larger than %d bytes", SIGNATURE_SIZE_MAX)) &&
        openpgp_verify(info, &key, request->signature, document, error);
    if (good) {
        bool has = openpgp_notation(info, KEYRING_NOTATION_PURPOSE, &found);
        if (has != (purpose != NULL) || (has && !bytes_equal(found, bytes_of_string(purpose))))
            good = error_set(error, ERROR_DENIED, "the signature was made for another purpose");
        memcpy(result->answer.fingerprint, key.fingerprint, sizeof(key.fingerprint));
        result->answer.signed_at = info->created;
    }
    buffer_free(&block);
    return good;
}

bool act_post_verify(struct worker *worker, const struct request *request, const char *home,
                     struct result *result, struct error **error)
{
    (void)home;
    struct openpgp_signature_info info;
    struct bytes addressee;
    if (!check_size(request->data, error) ||
        !check_signature(worker, request, request->data, request->post.sealed ? purpose_letter : NULL, &info,
                         result, error))
        return false;
    if (openpgp_notation(&info, KEYRING_NOTATION_RECIPIENT, &addressee)) {
        result->answer.addressee_bound = true;
        if (!hex_parse(result->answer.hash, sizeof(result->answer.hash), (const char *)addressee.data,
                       addressee.size))
            return error_set(error, ERROR_DENIED, "the signature names a malformed addressee");
    }
    return true;
}

/* POSTS.md §4. */
static bool greeting(struct buffer *out, const uint8_t day_key[32])
{
    buffer_append_string(out, "retrogate post key 1");
    return buffer_append(out, day_key, 32);
}

bool act_post_greet(struct worker *worker, const struct request *request, const char *home,
                    struct result *result, struct error **error)
{
    (void)worker;
    struct buffer own_block = buffer_make(BLOCK_SIZE_MAX), text = buffer_make(64);
    struct openpgp_key own;
    const struct openpgp_signing signing = {.expires = DAY_S,
                                            .notations[0] = {KEYRING_NOTATION_PURPOSE, purpose_greeting}};
    bool good = worker_own_key(home, request, &own_block, &own, error) && greeting(&text, request->day_key) &&
                sign(request, home, &own, &signing, buffer_view(&text), &result->text, error);
    buffer_free(&own_block);
    buffer_free(&text);
    return good;
}

bool act_post_check(struct worker *worker, const struct request *request, const char *home,
                    struct result *result, struct error **error)
{
    (void)home;
    struct buffer text = buffer_make(64);
    struct openpgp_signature_info info;
    bool good = greeting(&text, request->day_key) &&
                check_signature(worker, request, buffer_view(&text), purpose_greeting, &info, result, error);
    buffer_free(&text);
    if (!good)
        return false;
    int64_t now = (int64_t)time(NULL);
    if (info.expires == 0 || info.expires > DAY_S)
        return error_set(error, ERROR_DENIED, "the greeting is valid for longer than a day");
    if (info.created > now + DAY_S)
        return error_set(error, ERROR_DENIED, "the greeting is of the future");
    result->answer.expires = (int64_t)info.created + info.expires;
    return result->answer.expires > now || error_set(error, ERROR_DENIED, "the greeting has expired");
}
