/* SPDX-License-Identifier: ISC */
#include "mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/listener.h"
#include "base/map.h"
#include "forward.h"
#include "maildir.h"
#include "pop3.h"
#include "session.h"
#include "submission.h"

enum {
    DEFAULT_CLIENTS = 256,
    DEFAULT_CLIENTS_PER_ADDRESS = 32,
    DEFAULT_LOGIN_MS = 60000,
    MOST_MESSAGE = 35 << 20,
};

static const struct service *const services[MAIL_SERVICES] = {
    [MAIL_SUBMISSION] = &submission_service,
    [MAIL_POP3] = &pop3_service,
};

struct door {
    struct mail *mail;
    const struct service *service;
    struct listener *listener;
    bool tls, start, open;
};

struct mail {
    struct site site;
    struct door *doors;
    size_t door_count;
    struct maildir *maildir; /* NULL: none */
    struct forward *forward; /* NULL: none */
    bool ending;             /* all were told to close */
    uv_timer_t timer;        /* calls `closed` from the loop */
    void (*closed)(void *arg);
    void *arg;
};

/* --- the end */

/* A closed listener lives on until its last connection is released. */
static void close_doors(struct mail *mail)
{
    for (size_t i = 0; i < mail->door_count; i++) {
        if (mail->doors[i].open)
            listener_close(mail->doors[i].listener);
        mail->doors[i].open = false;
    }
}

static void mail_free(struct mail *mail)
{
    close_doors(mail);
    SSL_CTX_free(mail->site.tls);
    free(mail->doors);
    free(mail->site.name);
    free(mail->site.domain);
    free(mail);
}

static void on_timer_gone(uv_handle_t *handle)
{
    struct mail *mail = handle->data;
    void (*closed)(void *) = mail->closed;
    void *arg = mail->arg;
    mail_free(mail);
    if (closed != NULL)
        closed(arg);
}

/* When the last of all that was open is gone. */
static void end_when_done(struct mail *mail)
{
    if (mail->ending && mail->site.sessions == NULL && mail->maildir == NULL && mail->forward == NULL &&
        !uv_is_closing((uv_handle_t *)&mail->timer))
        uv_close((uv_handle_t *)&mail->timer, on_timer_gone);
}

static void on_empty(void *arg)
{
    end_when_done(arg);
}

static void maildir_closed(void *arg)
{
    struct mail *mail = arg;
    mail->maildir = NULL;
    end_when_done(mail);
}

static void forward_closed(void *arg)
{
    struct mail *mail = arg;
    mail->forward = NULL;
    end_when_done(mail);
}

void mail_close(struct mail *mail, void (*closed)(void *arg), void *arg)
{
    mail->closed = closed;
    mail->arg = arg;
    mail->site.closing = true;
    close_doors(mail);
    session_dismiss_all(&mail->site);
    if (mail->maildir != NULL)
        maildir_close(mail->maildir, maildir_closed, mail);
    if (mail->forward != NULL)
        forward_close(mail->forward, forward_closed, mail);
    mail->ending = true;
    end_when_done(mail);
}

/* --- opening */

static void on_accepted(void *arg, int fd, const struct sockaddr_storage *peer)
{
    struct door *door = arg;
    session_open(&door->mail->site, door->service, door->listener, fd, peer, door->tls, door->start);
}

/* A host name with a dot, in ASCII. */
static bool name_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t size = strlen(name);
    return size <= 253 && strspn(name, letters) == size && strchr(name, '.') != NULL &&
           strstr(name, "..") == NULL && name[0] != '.' && name[0] != '-' && name[size - 1] != '.';
}

static bool check_options(const struct mail_options *options, struct error **error)
{
    if (options->name != NULL && !name_valid(options->name))
        return error_set(error, ERROR_INVALID, "the mail server's name must be a host name with a dot");
    if (options->domain != NULL && !name_valid(options->domain))
        return error_set(error, ERROR_INVALID, "the domain of mail addresses must be a name with a dot");
    for (size_t i = 0; i < options->listen_count; i++) {
        const struct mail_listen *listen = &options->listen[i];
        char address[64];
        address_format(address, sizeof address, (const struct sockaddr *)&listen->address);
        if (services[listen->service] == NULL)
            return error_set(error, ERROR_INVALID, "the mail listener %s has no service", address);
        if ((listen->tls || listen->start) && options->tls == NULL)
            return error_set(error, ERROR_INVALID, "the mail listener %s needs a certificate", address);
        if (!listen->tls && !listen->start && !options->plain_anywhere &&
            !address_is_loopback((const struct sockaddr *)&listen->address))
            return error_set(
                error, ERROR_DENIED,
                "mail without TLS is for loopback only, and %s is not: passwords would pass in clear",
                address);
    }
    return true;
}

static bool open_doors(struct mail *mail, const struct mail_options *options, struct error **error)
{
    unsigned per_address = options->clients_per_address;
    struct listener_options limits = {.per_address =
                                          per_address != 0 ? per_address : DEFAULT_CLIENTS_PER_ADDRESS,
                                      .total = mail->site.limit};
    for (size_t i = 0; i < options->listen_count; i++) {
        const struct mail_listen *listen = &options->listen[i];
        struct door *door = &mail->doors[mail->door_count++];
        *door = (struct door){
            .mail = mail, .service = services[listen->service], .tls = listen->tls, .start = listen->start};
        door->listener = listener_open(mail->site.loop, (const struct sockaddr *)&listen->address, &limits,
                                       on_accepted, door, error);
        if (door->listener == NULL)
            return error_prefix(error, "mail");
        door->open = true;
    }
    return true;
}

static void set_site(struct mail *mail, uv_loop_t *loop, struct gateway *gateway,
                     const struct mail_options *options)
{
    size_t limit = options->message_limit;
    mail->site = (struct site){
        .loop = loop,
        .gateway = gateway,
        .name = strdup(options->name != NULL ? options->name : "mail.retrogate.alt"),
        .domain = strdup(options->domain != NULL ? options->domain : "distant.alt"),
        .plain_anywhere = options->plain_anywhere,
        .message_limit = limit > 0 && limit < MOST_MESSAGE ? limit : MOST_MESSAGE,
        .idle_ms = options->idle_ms,
        .login_ms = options->login_ms != 0 ? options->login_ms : DEFAULT_LOGIN_MS,
        .limit = options->clients != 0 ? options->clients : DEFAULT_CLIENTS,
        .empty = on_empty,
        .arg = mail,
    };
}

/* What serves accounts without a client. */
static bool open_services(struct mail *mail, const struct mail_options *options, struct error **error)
{
    struct site *site = &mail->site;
    if (options->maildir != NULL)
        mail->maildir = maildir_open(site->loop, site->gateway, options->maildir, site->name, error);
    if (options->maildir != NULL && mail->maildir == NULL)
        return false;
    if (options->forward != NULL)
        mail->forward = forward_open(site->loop, site->gateway, options->forward, site->name, error);
    return options->forward == NULL || mail->forward != NULL;
}

struct mail *mail_open(uv_loop_t *loop, struct gateway *gateway, const struct mail_options *options,
                       struct error **error)
{
    if (!check_options(options, error))
        return NULL;
    struct mail *mail = calloc(1, sizeof *mail);
    if (mail == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        return NULL;
    }
    set_site(mail, loop, gateway, options);
    mail->doors = calloc(options->listen_count + 1, sizeof *mail->doors);
    if (mail->doors == NULL || mail->site.name == NULL || mail->site.domain == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        mail_free(mail);
        return NULL;
    }
    mail_set_tls(mail, options->tls);
    if (!open_doors(mail, options, error)) {
        mail_free(mail);
        return NULL;
    }
    uv_timer_init(loop, &mail->timer);
    mail->timer.data = mail;
    if (open_services(mail, options, error))
        return mail;
    mail_close(mail, NULL, NULL);
    return NULL;
}

void mail_set_tls(struct mail *mail, SSL_CTX *tls)
{
    if (tls != NULL)
        SSL_CTX_up_ref(tls);
    SSL_CTX_free(mail->site.tls);
    mail->site.tls = tls;
}

const struct sockaddr_storage *mail_listening(const struct mail *mail, size_t index)
{
    return index < mail->door_count ? listener_address(mail->doors[index].listener) : NULL;
}
