/* SPDX-License-Identifier: ISC */
#include "keyring/pgp.h"

#include <gpgme.h>
#include <stdio.h>
#include <string.h>

static bool tell_failure(struct error **error, gpgme_error_t code, const char *what)
{
    switch (gpgme_err_code(code)) {
    case GPG_ERR_BAD_PASSPHRASE:
    case GPG_ERR_CANCELED:
        return error_set(error, ERROR_DENIED, "%s: the key's passphrase is wrong", what);
    case GPG_ERR_NO_SECKEY:
        return error_set(error, ERROR_DENIED, "%s: it is not for this key", what);
    case GPG_ERR_DECRYPT_FAILED:
    case GPG_ERR_BAD_DATA:
    case GPG_ERR_NO_DATA:
    case GPG_ERR_BAD_MPI:
        return error_set(error, ERROR_INVALID, "%s: the message is damaged", what);
    default:
        return error_set(error, ERROR_INTERNAL, "%s: %s", what, gpgme_strerror(code));
    }
}

bool pgp_initialise(struct error **error)
{
    if (!gpgme_check_version("1.18.0"))
        return error_set(error, ERROR_INTERNAL, "GPGME 1.18 or later is needed");
    gpgme_error_t failed = gpgme_engine_check_version(GPGME_PROTOCOL_OpenPGP);
    return !failed || tell_failure(error, failed, "GnuPG cannot be used");
}

static gpgme_error_t give_passphrase(void *arg, const char *hint, const char *info, int wrong_before, int fd)
{
    (void)hint;
    (void)info;
    const struct bytes *passphrase = arg;
    if (wrong_before)
        return gpgme_error(GPG_ERR_BAD_PASSPHRASE);
    if (gpgme_io_writen(fd, passphrase->data, passphrase->size) != 0 || gpgme_io_writen(fd, "\n", 1) != 0)
        return gpgme_error_from_syserror();
    return 0;
}

/* GPGME runs "gpg --version" whenever a context is given a home, so contexts are kept. */
static struct kept {
    char home[HOME_PATH_SIZE];
    gpgme_ctx_t context;
} kept[8];
static size_t kept_next; /* the oldest */

static gpgme_ctx_t find_context(const char *home, struct error **error)
{
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (kept[i].context && strcmp(kept[i].home, home) == 0)
            return kept[i].context;
    gpgme_ctx_t context = NULL;
    gpgme_error_t failed = gpgme_new(&context);
    if (!failed)
        failed = gpgme_ctx_set_engine_info(context, GPGME_PROTOCOL_OpenPGP, NULL, home);
    if (failed) {
        tell_failure(error, failed, "GnuPG cannot be used");
        gpgme_release(context);
        return NULL;
    }
    gpgme_set_offline(context, 1);
    gpgme_set_armor(context, 0);
    gpgme_set_textmode(context, 0);
    gpgme_set_pinentry_mode(context, GPGME_PINENTRY_MODE_LOOPBACK);
    struct kept *entry = &kept[kept_next];
    kept_next = (kept_next + 1) % (sizeof(kept) / sizeof(kept[0]));
    gpgme_release(entry->context);
    entry->context = context;
    snprintf(entry->home, sizeof(entry->home), "%s", home);
    return context;
}

/* For one operation; close_context() ends it. */
static gpgme_ctx_t open_context(const char *home, const struct bytes *passphrase, struct error **error)
{
    gpgme_ctx_t context = find_context(home, error);
    if (context && passphrase)
        gpgme_set_passphrase_cb(context, give_passphrase, (void *)(uintptr_t)passphrase);
    return context;
}

static void close_context(gpgme_ctx_t context)
{
    gpgme_set_passphrase_cb(context, NULL, NULL);
    gpgme_set_progress_cb(context, NULL, NULL);
}

/* GPGME moves 512 bytes at a time unless it is told otherwise. */
static gpgme_data_t in_pieces(gpgme_data_t data)
{
    if (data)
        gpgme_data_set_flag(data, "io-buffer-size", "65536");
    return data;
}

static gpgme_data_t read_from(struct bytes bytes)
{
    gpgme_data_t data = NULL;
    gpgme_data_new_from_mem(&data, bytes.data ? (const char *)bytes.data : "", bytes.size, 0);
    return in_pieces(data);
}

static ssize_t take_output(void *arg, const void *data, size_t size)
{
    /* -1 at the buffer's ceiling ends gpg: a small message may unpack into a large one. */
    return buffer_append(arg, data, size) ? (ssize_t)size : -1;
}

static struct gpgme_data_cbs output_calls = {.write = take_output};

static gpgme_data_t write_into(struct buffer *out)
{
    gpgme_data_t data = NULL;
    gpgme_data_new_from_cbs(&data, &output_calls, out);
    return in_pieces(data);
}

struct progress {
    pgp_progress_fn *tell;
    void *arg;
};

static void tell_progress(void *arg, const char *what, int type, int current, int total)
{
    (void)type;
    (void)current;
    (void)total;
    const struct progress *progress = arg;
    progress->tell(progress->arg, what);
}

bool pgp_generate(const char *home, const char *user_id, bool encrypt, struct bytes passphrase,
                  pgp_progress_fn *tell, void *arg, uint8_t fingerprint[20], struct error **error)
{
    gpgme_ctx_t context = open_context(home, &passphrase, error);
    if (!context)
        return false;
    struct progress progress = {tell, arg};
    unsigned flags = GPGME_CREATE_SIGN | GPGME_CREATE_CERT | GPGME_CREATE_NOEXPIRE;
    if (encrypt)
        flags |= GPGME_CREATE_ENCR;
    gpgme_set_progress_cb(context, tell_progress, &progress);
    gpgme_error_t failed = gpgme_op_createkey(context, user_id, "rsa3072", 0, 0, NULL, flags);
    gpgme_genkey_result_t made = gpgme_op_genkey_result(context);
    bool good = !failed || tell_failure(error, failed, "the key could not be made");
    if (good && (!made || !made->fpr || !hex_parse(fingerprint, 20, made->fpr, strlen(made->fpr))))
        good = error_set(error, ERROR_INTERNAL, "GnuPG does not tell the new key's fingerprint");
    close_context(context);
    return good;
}

bool pgp_import(const char *home, struct bytes block, struct error **error)
{
    gpgme_ctx_t context = open_context(home, NULL, error);
    if (!context)
        return false;
    gpgme_data_t data = read_from(block);
    gpgme_error_t failed = gpgme_op_import(context, data);
    gpgme_import_result_t result = failed ? NULL : gpgme_op_import_result(context);
    bool good = !failed || tell_failure(error, failed, "the key could not be taken");
    if (good && (!result || result->secret_imported != 1))
        good = error_set(error, ERROR_INVALID, "GnuPG did not take the secret key");
    gpgme_data_release(data);
    close_context(context);
    return good;
}

bool pgp_export(const char *home, const uint8_t fingerprint[20], struct buffer *block, struct error **error)
{
    gpgme_ctx_t context = open_context(home, NULL, error);
    if (!context)
        return false;
    char pattern[41];
    hex_upper(pattern, fingerprint, 20);
    gpgme_data_t data = write_into(block);
    gpgme_error_t failed = gpgme_op_export(context, pattern, GPGME_EXPORT_MODE_MINIMAL, data);
    bool good = !failed || tell_failure(error, failed, "the public key could not be read");
    if (good && buffer_size(block) == 0)
        good = error_set(error, ERROR_NOT_FOUND, "there is no key for this identity");
    gpgme_data_release(data);
    close_context(context);
    return good;
}

/* What is encrypted is uncovered as it is, so that nothing is unpacked or put together unseen, and what is in
 * it is screened before its text is taken (06 W-M9). */
bool pgp_decrypt(const char *home, struct bytes message, struct bytes passphrase, struct buffer *plain,
                 struct error **error)
{
    gpgme_ctx_t context = open_context(home, &passphrase, error);
    if (!context)
        return false;
    buffer_reserve(plain, message.size < plain->ceiling ? message.size : plain->ceiling);
    gpgme_data_t input = read_from(message), output = write_into(plain);
    gpgme_error_t failed = gpgme_op_decrypt_ext(context, GPGME_DECRYPT_UNWRAP, input, output);
    struct bytes text;
    bool good = true;
    if (plain->failed)
        good = error_set(error, ERROR_LIMIT, "the decrypted message is too large");
    else if (failed)
        good = tell_failure(error, failed, "decrypting failed");
    else if (buffer_size(plain) == 0)
        good = error_set(error, ERROR_INVALID, "the decrypted message is empty");
    else
        good = openpgp_screen_literal(&text, buffer_view(plain), error);
    if (good)
        buffer_consume(plain, buffer_size(plain) - text.size);
    gpgme_data_release(input);
    gpgme_data_release(output);
    close_context(context);
    return good;
}

/* A classic keyring file is just the packets, so no import is needed. */
static bool hold_block(const char *verify_home, struct bytes block, struct error **error)
{
    return home_write(verify_home, "pubring.gpg", block, false, error);
}

static bool is_usable(gpgme_key_t key, struct error **error)
{
    if (key->revoked)
        return error_set(error, ERROR_DENIED, "the key was revoked by its owner");
    if (key->expired)
        return error_set(error, ERROR_EXPIRED, "the key has expired");
    if (key->invalid || key->disabled || !key->uids || key->uids->invalid || key->uids->revoked)
        return error_set(error, ERROR_DENIED, "the key's self-signature is not valid");
    return true;
}

bool pgp_check_key(const char *verify_home, struct bytes block, const uint8_t fingerprint[20],
                   int64_t *expires, struct error **error)
{
    gpgme_ctx_t context =
        hold_block(verify_home, block, error) ? open_context(verify_home, NULL, error) : NULL;
    if (!context)
        return false;
    char pattern[41];
    gpgme_key_t key = NULL;
    hex_upper(pattern, fingerprint, 20);
    gpgme_error_t failed = gpgme_get_key(context, pattern, &key, 0);
    bool good =
        failed ? error_set(error, ERROR_DENIED, "GnuPG does not take the key") : is_usable(key, error);
    if (good && expires)
        *expires = key->subkeys && key->subkeys->expires > 0 ? key->subkeys->expires : 0;
    gpgme_key_unref(key);
    close_context(context);
    return good;
}

static bool judge(gpgme_verify_result_t result, const uint8_t fingerprint[20], struct error **error)
{
    gpgme_signature_t signature = result ? result->signatures : NULL;
    char expected[41];
    hex_upper(expected, fingerprint, 20);
    if (!signature || signature->next)
        return error_set(error, ERROR_DENIED, "not exactly one signature");
    switch (gpgme_err_code(signature->status)) {
    case GPG_ERR_NO_ERROR:
    case GPG_ERR_SIG_EXPIRED:
        break;
    case GPG_ERR_KEY_EXPIRED:
        return error_set(error, ERROR_EXPIRED, "the key that signed has expired");
    case GPG_ERR_CERT_REVOKED:
        return error_set(error, ERROR_DENIED, "the key that signed was revoked");
    case GPG_ERR_NO_PUBKEY:
        return error_set(error, ERROR_DENIED, "the signature is by another key");
    default:
        return error_set(error, ERROR_DENIED, "the signature does not fit what it should sign");
    }
    if (!signature->fpr || strcmp(signature->fpr, expected) != 0)
        return error_set(error, ERROR_DENIED, "the signature is by another key");
    return true;
}

bool pgp_verify(const char *verify_home, struct bytes block, const uint8_t fingerprint[20],
                struct bytes signature, struct bytes document, struct error **error)
{
    gpgme_ctx_t context =
        hold_block(verify_home, block, error) ? open_context(verify_home, NULL, error) : NULL;
    if (!context)
        return false;
    gpgme_data_t packet = read_from(signature), text = read_from(document);
    gpgme_error_t failed = gpgme_op_verify(context, packet, text, NULL);
    bool good =
        failed ? error_set(error, ERROR_DENIED, "the signature cannot be checked: %s", gpgme_strerror(failed))
               : judge(gpgme_op_verify_result(context), fingerprint, error);
    gpgme_data_release(packet);
    gpgme_data_release(text);
    close_context(context);
    return good;
}
