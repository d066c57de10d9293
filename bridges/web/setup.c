/* SPDX-License-Identifier: ISC */
#include "setup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/source.h"

enum {
    MAGIC = 0x73657475,
    SYMBOLS = 16, /* of 5 bits each: nobody guesses 80 */
    GROUP = 4,
};

/* What the gateway was asked and has not answered. */
struct asked {
    uint32_t magic;
    struct setup *setup;
    uint64_t ticket;
    json_t *command; /* given when there is still no account; NULL: only the list is wanted */
    setup_fn *done;  /* NULL: nobody wants to know */
    void *arg;
    struct asked *prev, *next;
};

struct setup {
    struct site *site;
    struct gateway_session *session; /* NULL: there is no first run */
    struct asked *asked;
    uint64_t last_ticket;
    bool adding;
};

static void remove_file(const struct setup *setup)
{
    if (setup->site->setup_file != NULL)
        unlink(setup->site->setup_file);
}

static bool write_all(int fd, const char *text)
{
    size_t size = strlen(text);
    return write(fd, text, size) == (ssize_t)size && write(fd, "\n", 1) == 1;
}

static void write_file(const struct setup *setup)
{
    remove_file(setup);
    int fd = open(setup->site->setup_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || !write_all(fd, setup->site->setup_code))
        log_warn("web", "event=setup-code-not-written errno=%d", errno);
    if (fd >= 0)
        close(fd);
}

/* Groups of four, without the letters that look like others. */
static void draw_code(struct setup *setup)
{
    static const char symbols[] = "0123456789abcdefghjkmnpqrstvwxyz";
    char *at = setup->site->setup_code;
    for (unsigned i = 0; i < SYMBOLS; i++) {
        if (i > 0 && i % GROUP == 0)
            *at++ = '-';
        *at++ = symbols[random_below(&random_system, sizeof symbols - 1)];
    }
    *at = '\0';
    write_file(setup);
}

static void tell(const struct setup *setup)
{
    if (setup->site->changed != NULL)
        setup->site->changed(setup->site->arg);
}

static void end_first_run(struct setup *setup)
{
    if (setup->site->setup_code[0] == '\0')
        return;
    OPENSSL_cleanse(setup->site->setup_code, sizeof setup->site->setup_code);
    remove_file(setup);
    tell(setup);
}

static void forget(struct asked *asked)
{
    DL_DELETE(asked->setup->asked, asked);
    json_decref(asked->command);
    asked->magic = 0;
    free(asked);
}

/* Tells the end of what was asked. */
static void answer(struct asked *asked, json_t *result, const struct error *error)
{
    setup_fn *done = asked->done;
    void *done_arg = asked->arg;
    if (asked->command != NULL)
        asked->setup->adding = false;
    forget(asked);
    if (done != NULL)
        done(done_arg, result, error);
}

static void on_added(void *arg, json_t *result, const struct error *error)
{
    struct asked *asked = arg;
    assert(asked->magic == MAGIC);
    if (error == NULL)
        end_first_run(asked->setup);
    answer(asked, result, error);
}

static const struct error no_first_run = {
    ERROR_DENIED,
    "there is no first run: an account exists already, or the configuration says web.setup = no"};

static void on_list(void *arg, json_t *result, const struct error *error)
{
    struct asked *asked = arg;
    struct error *refused = NULL;
    assert(asked->magic == MAGIC);
    struct setup *setup = asked->setup;
    if (json_array_size(json_object_get(result, "accounts")) > 0) {
        end_first_run(setup);
        error = &no_first_run;
    }
    if (error != NULL || asked->command == NULL) {
        answer(asked, result, error);
        return;
    }
    if (gateway_do(setup->session, asked->command, on_added, asked, &refused) == 0)
        answer(asked, NULL, refused);
    error_free(refused);
}

static uint64_t ask(struct setup *setup, gateway_done_fn *answered, json_t *command, setup_fn *done,
                    void *arg, struct error **error)
{
    struct asked *asked = calloc(1, sizeof *asked);
    json_t *list = json_pack("{s:s}", "do", "account.list");
    bool given = asked != NULL && list != NULL && gateway_do(setup->session, list, answered, asked, error);
    json_decref(list);
    if (!given) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory; try again later");
        free(asked);
        return 0;
    }
    *asked = (struct asked){.magic = MAGIC,
                            .setup = setup,
                            .ticket = ++setup->last_ticket,
                            .command = json_incref(command),
                            .done = done,
                            .arg = arg};
    DL_APPEND(setup->asked, asked);
    return asked->ticket;
}

static void on_first_list(void *arg, json_t *result, const struct error *error)
{
    struct asked *asked = arg;
    assert(asked->magic == MAGIC);
    struct setup *setup = asked->setup;
    bool none = error == NULL && json_array_size(json_object_get(result, "accounts")) == 0;
    forget(asked);
    if (none) {
        draw_code(setup);
        tell(setup);
    } else {
        remove_file(setup); /* of an earlier run */
    }
}

/* The gateway stops: it answers nothing more. */
static void on_ended(void *arg, const char *reason)
{
    static const struct error ended = {ERROR_UNAVAILABLE, "the gateway is stopping"};
    struct setup *setup = arg;
    (void)reason;
    setup->session = NULL;
    while (setup->asked != NULL)
        answer(setup->asked, NULL, &ended);
}

struct setup *setup_open(struct site *site, struct error **error)
{
    static const struct gateway_events events = {.ended = on_ended};
    struct setup *setup = calloc(1, sizeof *setup);
    if (setup == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    setup->site = site;
    if (site->setup_file == NULL)
        return setup;
    setup->session = gateway_operator(site->gateway);
    if (setup->session != NULL)
        gateway_listen(setup->session, &events, setup);
    if (setup->session == NULL || ask(setup, on_first_list, NULL, NULL, NULL, error) == 0) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        setup_close(setup);
        return NULL;
    }
    return setup;
}

void setup_close(struct setup *setup)
{
    if (setup->session != NULL)
        gateway_logout(setup->session);
    while (setup->asked != NULL)
        forget(setup->asked);
    if (setup->site->setup_code[0] != '\0')
        remove_file(setup);
    OPENSSL_cleanse(setup->site->setup_code, sizeof setup->site->setup_code);
    free(setup);
}

uint64_t setup_check(struct setup *setup, setup_fn *done, void *arg)
{
    return setup->session != NULL ? ask(setup, on_list, NULL, done, arg, NULL) : 0;
}

/* As people type it: in any case, with or without what stands between the groups. */
static void plain_code(char out[SYMBOLS + 1], struct bytes text)
{
    size_t size = 0;
    memset(out, 0, SYMBOLS + 1);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '-' || c == ' ')
            continue;
        if (size == SYMBOLS) {
            out[0] = '\0'; /* too long */
            return;
        }
        out[size++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
}

static bool code_right(const struct setup *setup, struct bytes code)
{
    char given[SYMBOLS + 1], right[SYMBOLS + 1];
    plain_code(given, code);
    plain_code(right, bytes_of_string(setup->site->setup_code));
    bool same = CRYPTO_memcmp(given, right, SYMBOLS) == 0 && right[0] != '\0';
    OPENSSL_cleanse(given, sizeof given);
    OPENSSL_cleanse(right, sizeof right);
    return same;
}

uint64_t setup_add(struct setup *setup, struct bytes code, json_t *command, setup_fn *done, void *arg,
                   struct error **error)
{
    if (setup->session == NULL || setup->site->setup_code[0] == '\0') {
        error_set(error, no_first_run.code, "%s", no_first_run.text);
        return 0;
    }
    if (!code_right(setup, code)) {
        error_set(error, ERROR_DENIED,
                  "the code is wrong; retrogatectl web shows the link with the present one");
        return 0;
    }
    if (command == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory; try again later");
        return 0;
    }
    if (setup->adding) {
        error_set(error, ERROR_EXISTS, "the first account is being made already; wait a little");
        return 0;
    }
    uint64_t ticket = ask(setup, on_list, command, done, arg, error);
    setup->adding = ticket != 0;
    return ticket;
}

void setup_forget(struct setup *setup, uint64_t ticket)
{
    struct asked *asked;
    DL_FOREACH(setup->asked, asked)
    {
        if (asked->ticket == ticket)
            asked->done = NULL;
    }
}
