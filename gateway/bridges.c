/* SPDX-License-Identifier: ISC */
#include "bridges.h"

#include <stdio.h>

#include "base/address.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/tls.h"
#include "core/core.h"
#include "irc/irc.h"
#include "mail/mail.h"
#include "web/web.h"

/* A bridge's listeners: those in plain, then those with TLS. */
struct listening {
    struct sockaddr_storage addresses[2 * CONFIG_LIST_MAX];
    size_t plain, count;
};

static struct listening read_listening(const struct config *config, enum config_key plain,
                                       enum config_key tls)
{
    struct listening listening;
    listening.plain = config_addresses(config, plain, listening.addresses);
    listening.count = listening.plain + config_addresses(config, tls, listening.addresses + listening.plain);
    return listening;
}

/* --- the certificate for people's clients */

static const enum config_key with_tls[] = {
    CONFIG_IRC_LISTEN_TLS,
    CONFIG_WEB_LISTEN_TLS,
    CONFIG_MAIL_SUBMISSION_LISTEN_TLS,
    CONFIG_MAIL_SUBMISSION_LISTEN_START,
    CONFIG_MAIL_POP3_LISTEN_TLS,
    CONFIG_MAIL_POP3_LISTEN_START,
};
enum { WITH_TLS = sizeof with_tls / sizeof *with_tls };

static bool wants_tls(const struct config *config)
{
    for (size_t i = 0; i < WITH_TLS; i++)
        if (config_text(config, with_tls[i])[0] != '\0')
            return true;
    return false;
}

static void add_addresses(struct buffer *names, const struct config *config, enum config_key key)
{
    struct sockaddr_storage addresses[CONFIG_LIST_MAX];
    size_t count = config_addresses(config, key, addresses);
    for (size_t i = 0; i < count; i++) {
        char text[64];
        if (!address_is_any((const struct sockaddr *)&addresses[i]) &&
            uv_ip_name((const struct sockaddr *)&addresses[i], text, sizeof text) == 0)
            buffer_printf(names, ",%s", text);
    }
}

static bool make_own(const struct config *config, const char *certificate, const char *key,
                     struct error **error)
{
    struct buffer names = buffer_make(8192);
    const char *words[CONFIG_LIST_MAX];
    size_t count = config_list(config, CONFIG_WEB_NAMES, words, CONFIG_LIST_MAX);
    buffer_printf(&names, "%s,%s", config_text(config, CONFIG_IRC_NAME),
                  config_text(config, CONFIG_MAIL_NAME));
    for (size_t i = 0; i < count; i++)
        buffer_printf(&names, ",%s", words[i]);
    for (size_t i = 0; i < WITH_TLS; i++)
        add_addresses(&names, config, with_tls[i]);
    const char *text = buffer_string(&names);
    bool made = text != NULL ? tls_make_self_signed(certificate, key, text, error)
                             : error_set(error, ERROR_INTERNAL, "out of memory");
    buffer_free(&names);
    return made;
}

/* The one configured, or our own. */
static SSL_CTX *read_certificate(const struct config *config, struct error **error)
{
    const char *certificate = config_text(config, CONFIG_TLS_CERTIFICATE),
               *key = config_text(config, CONFIG_TLS_KEY);
    char own_certificate[512], own_key[512];
    if (certificate[0] == '\0') {
        const char *directory = config_text(config, CONFIG_NODE_DIRECTORY);
        snprintf(own_certificate, sizeof own_certificate, "%s/tls-certificate.pem", directory);
        snprintf(own_key, sizeof own_key, "%s/tls-key.pem", directory);
        if (!make_own(config, own_certificate, own_key, error))
            return NULL;
        certificate = own_certificate;
        key = own_key;
    }
    return tls_server_context(certificate, key, error);
}

/* --- the listeners of mail, in the order in which they are opened */

static const struct mail_row {
    enum config_key key;
    enum mail_service service;
    bool tls, start;
} mail_rows[] = {
    {CONFIG_MAIL_SUBMISSION_LISTEN, MAIL_SUBMISSION, false, false},
    {CONFIG_MAIL_SUBMISSION_LISTEN_TLS, MAIL_SUBMISSION, true, false},
    {CONFIG_MAIL_SUBMISSION_LISTEN_START, MAIL_SUBMISSION, false, true},
    {CONFIG_MAIL_POP3_LISTEN, MAIL_POP3, false, false},
    {CONFIG_MAIL_POP3_LISTEN_TLS, MAIL_POP3, true, false},
    {CONFIG_MAIL_POP3_LISTEN_START, MAIL_POP3, false, true},
};
enum { MAIL_ROWS = sizeof mail_rows / sizeof *mail_rows };

/* As `status` and the log name them. */
static const char *const mail_names[MAIL_SERVICES] = {
    [MAIL_SUBMISSION] = "submission",
    [MAIL_POP3] = "pop3",
};

/* --- what `status` tells */

/* As a person on this machine can open it: "any" is no address to go to. */
static void web_address(char *out, size_t size, const struct sockaddr_storage *address, bool tls)
{
    char text[64];
    address_format(text, sizeof text, (const struct sockaddr *)address);
    if (address_is_any((const struct sockaddr *)address))
        snprintf(text, sizeof text, "localhost:%u", address_port((const struct sockaddr *)address));
    snprintf(out, size, "%s://%s/", tls ? "https" : "http", text);
}

static void tell(const struct bridges *bridges)
{
    const struct sockaddr_storage *address;
    char text[96];
    json_t *irc = json_array(), *web = json_array();
    for (size_t i = 0; bridges->irc != NULL && (address = irc_listening(bridges->irc, i)) != NULL; i++) {
        address_format(text, sizeof text, (const struct sockaddr *)address);
        json_array_append_new(irc, json_string(text));
    }
    for (size_t i = 0; bridges->web != NULL && (address = web_listening(bridges->web, i)) != NULL; i++) {
        web_address(text, sizeof text, address, i >= bridges->web_plain);
        json_array_append_new(web, json_string(text));
    }
    json_t *listening = json_pack("{s:o, s:o}", "irc", irc, "web", web);
    for (size_t i = 0; i < MAIL_SERVICES; i++)
        json_object_set_new(listening, mail_names[i], json_array());
    for (size_t i = 0; bridges->mail != NULL && (address = mail_listening(bridges->mail, i)) != NULL; i++) {
        address_format(text, sizeof text, (const struct sockaddr *)address);
        json_array_append_new(json_object_get(listening, mail_names[bridges->mail_services[i]]),
                              json_string(text));
    }
    const char *link = bridges->web != NULL ? web_setup_link(bridges->web) : NULL;
    if (link != NULL)
        json_object_set_new(listening, "setup", json_string(link));
    gateway_set_listening(bridges->gateway, listening);
    json_decref(listening);
}

static void log_listening(const char *bridge, const struct sockaddr_storage *address)
{
    char text[64];
    address_format(text, sizeof text, (const struct sockaddr *)address);
    log_info("main", "event=listening bridge=%s address=%s", bridge, text);
}

/* --- opening */

static bool open_irc(struct bridges *bridges, uv_loop_t *loop, const struct config *config, SSL_CTX *tls,
                     struct error **error)
{
    struct listening from = read_listening(config, CONFIG_IRC_LISTEN, CONFIG_IRC_LISTEN_TLS);
    struct irc_listen listen[2 * CONFIG_LIST_MAX];
    if (from.count == 0)
        return true;
    for (size_t i = 0; i < from.count; i++)
        listen[i] = (struct irc_listen){from.addresses[i], i >= from.plain};
    struct irc_options options = {
        .name = config_text(config, CONFIG_IRC_NAME),
        .listen = listen,
        .listen_count = from.count,
        .tls = tls,
        .plain_anywhere = config_yes(config, CONFIG_IRC_PLAIN_ANYWHERE),
        .clients = config_number(config, CONFIG_IRC_CLIENTS),
        .clients_per_address = config_number(config, CONFIG_IRC_CLIENTS_PER_ADDRESS),
        .replay_lines = config_number(config, CONFIG_IRC_REPLAY_LINES),
    };
    bridges->irc = irc_open(loop, bridges->gateway, &options, error);
    for (size_t i = 0; bridges->irc != NULL && i < from.count; i++)
        log_listening("irc", irc_listening(bridges->irc, i));
    return bridges->irc != NULL;
}

static bool web_gives_irc(void *arg, int fd, const struct sockaddr_storage *peer, bool secure)
{
    const struct bridges *bridges = arg;
    return irc_adopt(bridges->irc, fd, peer, secure);
}

static void web_changed(void *arg)
{
    const struct bridges *bridges = arg;
    if (bridges->closed == NULL) /* one that ends has nothing to tell of */
        tell(bridges);
}

static bool open_web(struct bridges *bridges, uv_loop_t *loop, const struct config *config, SSL_CTX *tls,
                     struct error **error)
{
    struct listening from = read_listening(config, CONFIG_WEB_LISTEN, CONFIG_WEB_LISTEN_TLS);
    struct web_listen listen[2 * CONFIG_LIST_MAX];
    const char *names[CONFIG_LIST_MAX], *origins[CONFIG_LIST_MAX];
    const char *files = config_text(config, CONFIG_WEB_FILES);
    char setup_file[512];
    if (from.count == 0)
        return true;
    for (size_t i = 0; i < from.count; i++)
        listen[i] = (struct web_listen){from.addresses[i], i >= from.plain};
    snprintf(setup_file, sizeof setup_file, "%s/setup-code", config_text(config, CONFIG_NODE_DIRECTORY));
    struct web_options options = {
        .listen = listen,
        .listen_count = from.count,
        .tls = tls,
        .plain_anywhere = config_yes(config, CONFIG_WEB_PLAIN_ANYWHERE),
        .names = names,
        .name_count = config_list(config, CONFIG_WEB_NAMES, names, CONFIG_LIST_MAX),
        .origins = origins,
        .origin_count = config_list(config, CONFIG_WEB_ORIGINS, origins, CONFIG_LIST_MAX),
        .files = files[0] != '\0' ? files : NULL,
        .setup_file = config_yes(config, CONFIG_WEB_SETUP) ? setup_file : NULL,
        .clients = config_number(config, CONFIG_WEB_CLIENTS),
        .clients_per_address = config_number(config, CONFIG_WEB_CLIENTS_PER_ADDRESS),
        .irc = bridges->irc != NULL ? web_gives_irc : NULL,
        .changed = web_changed,
        .arg = bridges,
    };
    bridges->web_plain = from.plain;
    bridges->web = web_open(loop, bridges->gateway, &options, error);
    for (size_t i = 0; bridges->web != NULL && i < from.count; i++)
        log_listening("web", web_listening(bridges->web, i));
    return bridges->web != NULL;
}

static bool open_mail(struct bridges *bridges, uv_loop_t *loop, const struct config *config, SSL_CTX *tls,
                      struct error **error)
{
    struct mail_listen listen[MAIL_ROWS * CONFIG_LIST_MAX];
    const char *maildir = config_text(config, CONFIG_MAIL_MAILDIR),
               *forward = config_text(config, CONFIG_MAIL_FORWARD);
    size_t count = 0;
    for (size_t i = 0; i < MAIL_ROWS; i++) {
        const struct mail_row *row = &mail_rows[i];
        struct sockaddr_storage addresses[CONFIG_LIST_MAX];
        size_t size = config_addresses(config, row->key, addresses);
        for (size_t j = 0; j < size; j++) {
            bridges->mail_services[count] = row->service;
            listen[count++] = (struct mail_listen){addresses[j], row->service, row->tls, row->start};
        }
    }
    if (count == 0 && maildir[0] == '\0' && forward[0] == '\0')
        return true;
    struct mail_options options = {
        .name = config_text(config, CONFIG_MAIL_NAME),
        .domain = config_text(config, CONFIG_MAIL_DOMAIN),
        .listen = listen,
        .listen_count = count,
        .tls = tls,
        .plain_anywhere = config_yes(config, CONFIG_MAIL_PLAIN_ANYWHERE),
        .clients = config_number(config, CONFIG_MAIL_CLIENTS),
        .clients_per_address = config_number(config, CONFIG_MAIL_CLIENTS_PER_ADDRESS),
        .message_limit = (size_t)config_number(config, CONFIG_MAIL_MESSAGE_LIMIT) << 20,
        .maildir = maildir[0] != '\0' ? maildir : NULL,
        .forward = forward[0] != '\0' ? forward : NULL,
    };
    bridges->mail = mail_open(loop, bridges->gateway, &options, error);
    for (size_t i = 0; bridges->mail != NULL && i < count; i++)
        log_listening(mail_names[bridges->mail_services[i]], mail_listening(bridges->mail, i));
    return bridges->mail != NULL;
}

bool bridges_open(struct bridges *bridges, uv_loop_t *loop, struct gateway *gateway,
                  const struct config *config, struct error **error)
{
    SSL_CTX *tls = NULL;
    *bridges = (struct bridges){.gateway = gateway};
    if (wants_tls(config) && (tls = read_certificate(config, error)) == NULL)
        return false;
    bool opened = open_irc(bridges, loop, config, tls, error) &&
                  open_web(bridges, loop, config, tls, error) && open_mail(bridges, loop, config, tls, error);
    SSL_CTX_free(tls);
    tell(bridges);
    return opened;
}

bool bridges_reload(struct bridges *bridges, const struct config *config, struct error **error)
{
    if (!wants_tls(config))
        return true;
    SSL_CTX *tls = read_certificate(config, error);
    if (tls == NULL)
        return false;
    if (bridges->irc != NULL)
        irc_set_tls(bridges->irc, tls);
    if (bridges->web != NULL)
        web_set_tls(bridges->web, tls);
    if (bridges->mail != NULL)
        mail_set_tls(bridges->mail, tls);
    SSL_CTX_free(tls);
    return true;
}

/* --- closing */

static void mail_closed(void *arg)
{
    struct bridges *bridges = arg;
    bridges->mail = NULL;
    bridges->closed(bridges->arg);
}

static void irc_closed(void *arg)
{
    struct bridges *bridges = arg;
    bridges->irc = NULL;
    if (bridges->mail != NULL)
        mail_close(bridges->mail, mail_closed, bridges);
    else
        mail_closed(bridges);
}

/* After the web: its clients of IRC are given to the other. */
static void web_closed(void *arg)
{
    struct bridges *bridges = arg;
    bridges->web = NULL;
    if (bridges->irc != NULL)
        irc_close(bridges->irc, irc_closed, bridges);
    else
        irc_closed(bridges);
}

void bridges_close(struct bridges *bridges, void (*closed)(void *arg), void *arg)
{
    bridges->closed = closed;
    bridges->arg = arg;
    if (bridges->web != NULL)
        web_close(bridges->web, web_closed, bridges);
    else
        web_closed(bridges);
}
