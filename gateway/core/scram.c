/* SPDX-License-Identifier: ISC */
#include "core/scram.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/app_passwords.h"
#include "core/commands.h"
#include "core/login.h"
#include "core/text.h"
#include "core/throttle.h"
#include "crypto/derive.h"
#include "wire/radix64.h"

/* RFC 5802 and 7677. The names of messages and keys are theirs. */
enum {
    MESSAGE_LIMIT = 1024, /* bytes of what a client says */
    NONCE_LIMIT = 256,    /* of the client's part */
    NONCE_SIZE = 18,      /* of ours, before base64 */
    NAME_LIMIT = 255,
    SERVER_FIRST_SIZE = NONCE_LIMIT + 128,
};

struct gateway_scram {
    struct gateway *gateway;
    char scope[16];
    char name[NAME_LIMIT + 1];
    uint8_t throttle_key[THROTTLE_KEY_SIZE];
    char first[MESSAGE_LIMIT + 1]; /* the client's */
    size_t header_size;            /* of it: what comes before the bare message */
    char server_first[SERVER_FIRST_SIZE];
    size_t nonce_size; /* of its nonce, which is both parts, behind "r=" */
};

/* --- verifiers */

static bool base64_fixed(uint8_t *out, size_t size, struct bytes text)
{
    struct buffer decoded = buffer_make(64);
    decoded.secret = true;
    bool good = radix64_decode(&decoded, text) && buffer_size(&decoded) == size;
    if (good)
        memcpy(out, buffer_view(&decoded).data, size);
    buffer_free(&decoded);
    return good;
}

bool scram_verifier_make(struct scram_verifier *verifier, const char *password,
                         const uint8_t salt[SCRAM_SALT_SIZE])
{
    uint8_t salted[32], client[32];
    memcpy(verifier->salt, salt, sizeof verifier->salt);
    bool good = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, SCRAM_SALT_SIZE, SCRAM_ITERATIONS,
                                  EVP_sha256(), sizeof salted, salted) == 1 &&
                derive_hmac(client, bytes_of(salted, 32), bytes_of_string("Client Key")) &&
                EVP_Digest(client, sizeof client, verifier->stored_key, NULL, EVP_sha256(), NULL) == 1 &&
                derive_hmac(verifier->server_key, bytes_of(salted, 32), bytes_of_string("Server Key"));
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client, sizeof client);
    return good;
}

bool scram_verifier_write(char *out, size_t size, const struct scram_verifier *verifier)
{
    struct buffer text = buffer_make(size - 1);
    text.secret = true;
    bool good = buffer_printf(&text, "SCRAM-SHA-256$%d:", SCRAM_ITERATIONS) &&
                radix64_encode(&text, bytes_of(verifier->salt, sizeof verifier->salt)) &&
                buffer_append_string(&text, "$") &&
                radix64_encode(&text, bytes_of(verifier->stored_key, sizeof verifier->stored_key)) &&
                buffer_append_string(&text, ":") &&
                radix64_encode(&text, bytes_of(verifier->server_key, sizeof verifier->server_key));
    if (good)
        memcpy(out, buffer_string(&text), buffer_size(&text) + 1);
    buffer_free(&text);
    return good;
}

bool scram_verifier_read(struct scram_verifier *verifier, const char *text)
{
    static const char head[] = "SCRAM-SHA-256$4096:";
    if (strncmp(text, head, sizeof head - 1) != 0)
        return false;
    const char *salt = text + sizeof head - 1, *dollar = strchr(salt, '$'),
               *colon = dollar != NULL ? strchr(dollar, ':') : NULL;
    return colon != NULL &&
           base64_fixed(verifier->salt, sizeof verifier->salt,
                        bytes_of((const uint8_t *)salt, (size_t)(dollar - salt))) &&
           base64_fixed(verifier->stored_key, sizeof verifier->stored_key,
                        bytes_of((const uint8_t *)dollar + 1, (size_t)(colon - dollar - 1))) &&
           base64_fixed(verifier->server_key, sizeof verifier->server_key, bytes_of_string(colon + 1));
}

bool scram_proof_fits(const struct scram_verifier *verifier, struct bytes auth_message,
                      const uint8_t proof[32])
{
    uint8_t key[32], stored[32];
    bool good = derive_hmac(key, bytes_of(verifier->stored_key, 32), auth_message);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] ^= proof[i];
    good = good && EVP_Digest(key, sizeof key, stored, NULL, EVP_sha256(), NULL) == 1 &&
           bytes_equal_secret(bytes_of(stored, 32), bytes_of(verifier->stored_key, 32));
    OPENSSL_cleanse(key, sizeof key);
    return good;
}

bool scram_signature(uint8_t signature[32], const struct scram_verifier *verifier, struct bytes auth_message)
{
    return derive_hmac(signature, bytes_of(verifier->server_key, 32), auth_message);
}

/* Those of an account for a scope (NULL: any), oldest first. Always as many are read, so that time does not
 * tell whether the account exists, or how many it has. */
struct candidates {
    struct scram_verifier verifier[APP_PASSWORDS_MAX];
    struct app_password *entry[APP_PASSWORDS_MAX]; /* NULL: not one of them */
};

static void gather(struct candidates *candidates, const struct account *account, const char *scope)
{
    static const char nobody[] = "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    struct app_password *entry = account != NULL ? account->app_passwords : NULL;
    *candidates = (struct candidates){0};
    for (size_t i = 0; i < APP_PASSWORDS_MAX; i++) {
        bool fits = entry != NULL && !entry->leaving && (scope == NULL || app_password_allows(entry, scope));
        bool read = scram_verifier_read(&candidates->verifier[i], entry != NULL ? entry->scram : nobody);
        candidates->entry[i] = fits && read ? entry : NULL;
        entry = entry != NULL ? entry->next : NULL;
    }
}

/* Under the vault key, which is there whenever somebody can log in, so that it stays the same. */
static bool choose_salt(const struct gateway *gateway, const char *name, const struct account *account,
                        const char *scope, uint8_t salt[SCRAM_SALT_SIZE])
{
    uint8_t made_up[32];
    struct buffer text = buffer_make(512);
    struct candidates candidates;
    bool good =
        buffer_printf(&text, "retrogate scram salt of %s", name) &&
        derive_hmac(made_up, bytes_of(gateway->vault_key, sizeof gateway->vault_key), buffer_view(&text));
    buffer_free(&text);
    if (!good)
        return false;
    memcpy(salt, made_up, SCRAM_SALT_SIZE);
    gather(&candidates, account, scope);
    for (size_t i = 0; i < APP_PASSWORDS_MAX; i++)
        if (candidates.entry[i] != NULL)
            memcpy(salt, candidates.verifier[i].salt, SCRAM_SALT_SIZE);
    OPENSSL_cleanse(&candidates, sizeof candidates);
    return true;
}

bool scram_salt(const struct account *account, uint8_t salt[SCRAM_SALT_SIZE])
{
    return choose_salt(account->gateway, account->name, account, NULL, salt);
}

/* --- the client's first message */

static bool malformed(struct error **error)
{
    return error_set(error, ERROR_INVALID, "this is no message of SCRAM-SHA-256 (RFC 5802)");
}

/* A name up to the comma: ',' and '=' are "=2C" and "=3D". NULL when it is none. */
static const char *read_name(char out[NAME_LIMIT + 1], const char *at)
{
    size_t size = 0;
    for (; *at != '\0' && *at != ','; at++) {
        char byte = *at;
        if (byte == '=') {
            if (strncmp(at, "=2C", 3) != 0 && strncmp(at, "=3D", 3) != 0)
                return NULL;
            byte = at[1] == '2' ? ',' : '=';
            at += 2;
        }
        if (size == NAME_LIMIT)
            return NULL;
        out[size++] = byte;
    }
    out[size] = '\0';
    return size > 0 && *at == ',' ? at : NULL;
}

static size_t nonce_span(const char *text)
{
    size_t size = 0;
    while (text[size] > ' ' && text[size] < 0x7f && text[size] != ',')
        size++;
    return size;
}

/* "n," or "y,", perhaps "a=" and a name, and a comma. NULL with an error. */
static const char *read_header(const char *at, char authority[NAME_LIMIT + 1], struct error **error)
{
    authority[0] = '\0';
    if (at[0] == 'p')
        error_set(error, ERROR_INVALID, "channel binding is not offered; use SCRAM-SHA-256 without PLUS");
    else if ((at[0] != 'n' && at[0] != 'y') || at[1] != ',')
        malformed(error);
    else if (at[2] == ',')
        return at + 3;
    else if (strncmp(at + 2, "a=", 2) == 0 && (at = read_name(authority, at + 4)) != NULL)
        return at + 1;
    else
        malformed(error);
    return NULL;
}

static bool read_first(struct gateway_scram *scram, const char **nonce, size_t *nonce_size,
                       struct error **error)
{
    char authority[NAME_LIMIT + 1];
    const char *at = read_header(scram->first, authority, error);
    if (at == NULL)
        return false;
    scram->header_size = (size_t)(at - scram->first);
    if (strncmp(at, "m=", 2) == 0)
        return error_set(error, ERROR_INVALID, "the client asks for an extension that this server has not");
    if (strncmp(at, "n=", 2) != 0 || (at = read_name(scram->name, at + 2)) == NULL ||
        strncmp(at, ",r=", 3) != 0)
        return malformed(error);
    *nonce = at + 3;
    *nonce_size = nonce_span(*nonce);
    if (*nonce_size == 0 || *nonce_size > NONCE_LIMIT ||
        ((*nonce)[*nonce_size] != '\0' && (*nonce)[*nonce_size] != ','))
        return malformed(error);
    return authority[0] == '\0' || strcmp(authority, scram->name) == 0 ||
           error_set(error, ERROR_DENIED, "nobody acts for another account; leave its name out");
}

static bool write_server_first(struct gateway_scram *scram, const char *nonce, size_t nonce_size)
{
    const struct random_source *random = scram->gateway->random;
    uint8_t own[NONCE_SIZE], salt[SCRAM_SALT_SIZE];
    const struct account *account = account_by_name(scram->gateway, scram->name);
    random->fill(random->state, own, sizeof own);
    struct buffer text = buffer_make(sizeof scram->server_first - 1);
    bool good = choose_salt(scram->gateway, scram->name, account, scram->scope, salt) &&
                buffer_append_string(&text, "r=") && buffer_append(&text, nonce, nonce_size) &&
                radix64_encode(&text, bytes_of(own, sizeof own));
    scram->nonce_size = buffer_size(&text) - 2;
    good = good && buffer_append_string(&text, ",s=") && radix64_encode(&text, bytes_of(salt, sizeof salt)) &&
           buffer_printf(&text, ",i=%d", SCRAM_ITERATIONS);
    if (good)
        memcpy(scram->server_first, buffer_string(&text), buffer_size(&text) + 1);
    buffer_free(&text);
    return good;
}

struct gateway_scram *gateway_scram_begin(struct gateway *gateway, const char *scope, const char *address,
                                          const char *first, char *server_first, size_t size,
                                          struct error **error)
{
    size_t first_size = strlen(first), nonce_size;
    const char *nonce;
    if (!gateway->vault_open) {
        error_set(error, ERROR_LOCKED, "the vault is locked; the operator must run retrogatectl unlock");
        return NULL;
    }
    if (first_size > MESSAGE_LIMIT) {
        malformed(error);
        return NULL;
    }
    struct gateway_scram *scram = calloc(1, sizeof *scram);
    if (scram == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    scram->gateway = gateway;
    text_copy(scram->scope, sizeof scram->scope, scope);
    memcpy(scram->first, first, first_size);
    bool good = read_first(scram, &nonce, &nonce_size, error) &&
                ((write_server_first(scram, nonce, nonce_size) && strlen(scram->server_first) < size) ||
                 error_set(error, ERROR_INTERNAL, "out of memory"));
    if (!good) {
        gateway_scram_cancel(scram);
        return NULL;
    }
    throttle_key(scram->throttle_key, scram->name, address);
    memcpy(server_first, scram->server_first, strlen(scram->server_first) + 1);
    return scram;
}

void gateway_scram_cancel(struct gateway_scram *scram)
{
    if (scram != NULL)
        OPENSSL_cleanse(scram, sizeof *scram);
    free(scram);
}

/* --- its last */

/* "c=<header>,r=<nonce>[,extensions],p=<proof>". Gives the proof, and what precedes its comma. */
static bool read_final(const struct gateway_scram *scram, const char *final, uint8_t proof[32],
                       struct bytes *without_proof)
{
    const char *last = strrchr(final, ',');
    if (strlen(final) > MESSAGE_LIMIT || strncmp(final, "c=", 2) != 0 || last == NULL ||
        strncmp(last, ",p=", 3) != 0)
        return false;
    *without_proof = bytes_of((const uint8_t *) final, (size_t)(last - final));
    const char *comma = strchr(final, ',');
    struct buffer header = buffer_make(MESSAGE_LIMIT);
    bool good =
        radix64_decode(&header, bytes_of((const uint8_t *) final + 2, (size_t)(comma - final - 2))) &&
        bytes_equal(buffer_view(&header), bytes_of((const uint8_t *)scram->first, scram->header_size));
    buffer_free(&header);
    const char *nonce = comma + 3;
    return good && strncmp(comma, ",r=", 3) == 0 &&
           strncmp(nonce, scram->server_first + 2, scram->nonce_size) == 0 &&
           nonce[scram->nonce_size] == ',' && base64_fixed(proof, 32, bytes_of_string(last + 3));
}

/* The app password that the proof was made with; NULL: none. */
static struct app_password *find_proven(const struct candidates *candidates, struct bytes auth_message,
                                        const uint8_t proof[32], uint8_t signature[32])
{
    struct app_password *found = NULL;
    for (size_t i = 0; i < APP_PASSWORDS_MAX; i++) {
        const struct scram_verifier *verifier = &candidates->verifier[i];
        if (scram_proof_fits(verifier, auth_message, proof) && candidates->entry[i] != NULL &&
            scram_signature(signature, verifier, auth_message))
            found = candidates->entry[i];
    }
    return found;
}

static bool write_server_final(char *out, size_t size, const uint8_t signature[32])
{
    struct buffer text = buffer_make(64);
    bool good = buffer_append_string(&text, "v=") && radix64_encode(&text, bytes_of(signature, 32)) &&
                buffer_size(&text) < size;
    if (good)
        memcpy(out, buffer_string(&text), buffer_size(&text) + 1);
    buffer_free(&text);
    return good;
}

/* A right one is let in also during a pause, and says nothing about guesses at the account's password. */
static struct gateway_session *not_proven(struct gateway_scram *scram, struct error **error)
{
    struct throttle *throttle = &scram->gateway->throttle;
    uint64_t now = uv_now(scram->gateway->loop), pause = throttle_begin(throttle, scram->throttle_key, now);
    if (pause > 0)
        return login_pause(pause, error);
    throttle_end(throttle, scram->throttle_key, false, now);
    return login_refuse(error);
}

static struct gateway_session *prove(struct gateway_scram *scram, const char *final, char *server_final,
                                     size_t size, struct error **error)
{
    struct account *account = account_by_name(scram->gateway, scram->name);
    uint8_t proof[32], signature[32];
    struct bytes without_proof;
    if (!read_final(scram, final, proof, &without_proof)) {
        malformed(error);
        return NULL;
    }
    struct candidates candidates;
    struct buffer auth_message = buffer_make(2 * MESSAGE_LIMIT + SERVER_FIRST_SIZE);
    bool good =
        buffer_printf(&auth_message, "%s,%s,", scram->first + scram->header_size, scram->server_first) &&
        buffer_append_bytes(&auth_message, without_proof);
    gather(&candidates, account, scram->scope);
    struct app_password *entry =
        good ? find_proven(&candidates, buffer_view(&auth_message), proof, signature) : NULL;
    struct gateway_session *session = NULL;
    if (!good)
        error_set(error, ERROR_INTERNAL, "out of memory");
    else if (entry == NULL || !app_password_take(account, entry))
        session = not_proven(scram, error);
    else if (!write_server_final(server_final, size, signature))
        error_set(error, ERROR_INTERNAL, "out of memory");
    else
        session = login_enter(account, scram->scope, entry->id, error);
    buffer_free(&auth_message);
    OPENSSL_cleanse(&candidates, sizeof candidates);
    OPENSSL_cleanse(proof, sizeof proof);
    return session;
}

struct gateway_session *gateway_scram_end(struct gateway_scram *scram, const char *final, char *server_final,
                                          size_t size, struct error **error)
{
    struct gateway_session *session = prove(scram, final, server_final, size, error);
    gateway_scram_cancel(scram);
    return session;
}
