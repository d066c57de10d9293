/* SPDX-License-Identifier: ISC */
#include "core/password.h"

#include <crypt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct work {
    uv_work_t request;
    struct gateway *gateway;
    char *password;
    char *hash; /* to compare with; NULL: make one */
    char result[CRYPT_OUTPUT_SIZE];
    bool matches;
    password_fn *done;
    void *arg;
};

static void compute(uv_work_t *request)
{
    struct work *work = request->data;
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL)
        return;
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *with = work->hash;
    /* Without a hash to compare with the work is done all the same, so that time tells nothing. */
    if (with == NULL || with[0] == '\0')
        with = crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting);
    const char *result = with != NULL ? crypt_r(work->password, with, data) : NULL;
    if (result != NULL && result[0] != '*') {
        memcpy(work->result, result, strlen(result) + 1);
        work->matches = work->hash != NULL && work->hash[0] != '\0' &&
                        bytes_equal_secret(bytes_of_string(result), bytes_of_string(work->hash));
    }
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
}

static void work_free(struct work *work)
{
    if (work->password != NULL)
        OPENSSL_cleanse(work->password, strlen(work->password));
    free(work->password);
    free(work->hash);
    free(work);
}

static void computed(uv_work_t *request, int status)
{
    struct work *work = request->data;
    struct gateway *gateway = work->gateway;
    bool good = status == 0 && work->result[0] != '\0';
    work->done(work->arg, good ? work->result : NULL, good && work->matches);
    work_free(work);
    gateway_work_end(gateway);
}

static bool start(struct gateway *gateway, const char *password, const char *hash, password_fn *done,
                  void *arg)
{
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL)
        return false;
    work->request.data = work;
    work->gateway = gateway;
    work->password = strdup(password);
    work->hash = hash != NULL ? strdup(hash) : NULL;
    work->done = done;
    work->arg = arg;
    if (work->password == NULL || (hash != NULL && work->hash == NULL) ||
        uv_queue_work(gateway->loop, &work->request, compute, computed) != 0) {
        work_free(work);
        return false;
    }
    gateway_work_begin(gateway);
    return true;
}

bool password_hash(struct gateway *gateway, const char *password, password_fn *done, void *arg)
{
    return start(gateway, password, NULL, done, arg);
}

bool password_check(struct gateway *gateway, const char *password, const char *hash, password_fn *done,
                    void *arg)
{
    return start(gateway, password, hash, done, arg);
}

void password_make(const struct random_source *random, char out[48])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint8_t raw[20];
    random->fill(random->state, raw, sizeof raw);
    size_t at = 0;
    for (size_t i = 0; i < 32; i++) {
        size_t bit = i * 5;
        unsigned value = (unsigned)raw[bit / 8] << 8 | (bit / 8 + 1 < sizeof raw ? raw[bit / 8 + 1] : 0);
        out[at++] = digits[value >> (11 - bit % 8) & 31];
        if (i % 4 == 3 && i < 31)
            out[at++] = '-';
    }
    out[at] = '\0';
    OPENSSL_cleanse(raw, sizeof raw);
}

static size_t normalise(char *out, size_t size, const char *password)
{
    size_t at = 0;
    for (; *password != '\0' && at + 1 < size; password++) {
        if (*password == '-' || *password == ' ')
            continue;
        out[at++] = *password >= 'A' && *password <= 'Z' ? (char)(*password + 32) : *password;
    }
    out[at] = '\0';
    return at;
}

void app_password_sha256(uint8_t out[32], const char *password)
{
    char plain[128];
    size_t size = normalise(plain, sizeof plain, password);
    EVP_Digest(plain, size, out, NULL, EVP_sha256(), NULL);
    OPENSSL_cleanse(plain, sizeof plain);
}
