/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"

enum { LIST_TEXT = 1024 };

static bool check_text(const char *value, struct error **error);
static bool check_yes(const char *value, struct error **error);
static bool check_addresses(const char *value, struct error **error);
static bool check_mode(const char *value, struct error **error);
static bool check_level(const char *value, struct error **error);
static bool check_directory(const char *value, struct error **error);
static bool check_rate(const char *value, struct error **error);
static bool check_workers(const char *value, struct error **error);
static bool check_count(const char *value, struct error **error);
static bool check_replay(const char *value, struct error **error);
static bool check_names(const char *value, struct error **error);
static bool check_origins(const char *value, struct error **error);
static bool check_folder(const char *value, struct error **error);
static bool check_domain(const char *value, struct error **error);
static bool check_mebibytes(const char *value, struct error **error);
static bool check_forward(const char *value, struct error **error);

static const struct row {
    const char *section, *name;
    const char *standard; /* "" is worked out when it is read, or means none */
    bool (*check)(const char *value, struct error **error);
} rows[CONFIG_KEYS] = {
    [CONFIG_NODE_NAME] = {"node", "name", "gateway", check_text},
    [CONFIG_NODE_DIRECTORY] = {"node", "directory", "", check_directory},
    [CONFIG_NODE_LISTEN] = {"node", "listen", "0.0.0.0:7812 [::]:7812", check_addresses},
    [CONFIG_NODE_ANNOUNCE] = {"node", "announce", "", check_addresses},
    [CONFIG_NODE_DNS] = {"node", "dns", "", check_text},
    [CONFIG_NODE_PROXY] = {"node", "proxy", "", check_text},
    [CONFIG_NODE_FORWARD_RATE] = {"node", "forward_rate", "20", check_rate},
    [CONFIG_VAULT_KEY] = {"vault", "key", "file", check_text},
    [CONFIG_KEYRING_WORKERS] = {"keyring", "workers", "1", check_workers},
    [CONFIG_ACCOUNT_TYPING] = {"account", "typing", "no", check_yes},
    [CONFIG_CONTROL_SOCKET] = {"control", "socket", "", check_text},
    [CONFIG_CONTROL_MODE] = {"control", "mode", "0600", check_mode},
    [CONFIG_IRC_LISTEN] = {"irc", "listen", "127.0.0.1:6667 [::1]:6667", check_addresses},
    [CONFIG_IRC_LISTEN_TLS] = {"irc", "listen_tls", "", check_addresses},
    [CONFIG_IRC_PLAIN_ANYWHERE] = {"irc", "plain_anywhere", "no", check_yes},
    [CONFIG_IRC_NAME] = {"irc", "name", "irc.retrogate.alt", check_text},
    [CONFIG_IRC_CLIENTS] = {"irc", "clients", "512", check_count},
    [CONFIG_IRC_CLIENTS_PER_ADDRESS] = {"irc", "clients_per_address", "32", check_count},
    [CONFIG_IRC_REPLAY_LINES] = {"irc", "replay_lines", "200", check_replay},
    [CONFIG_WEB_LISTEN] = {"web", "listen", "127.0.0.1:8080 [::1]:8080", check_addresses},
    [CONFIG_WEB_LISTEN_TLS] = {"web", "listen_tls", "", check_addresses},
    [CONFIG_WEB_PLAIN_ANYWHERE] = {"web", "plain_anywhere", "no", check_yes},
    [CONFIG_WEB_NAMES] = {"web", "names", "", check_names},
    [CONFIG_WEB_ORIGINS] = {"web", "origins", "", check_origins},
    [CONFIG_WEB_FILES] = {"web", "files", "", check_folder},
    [CONFIG_WEB_CLIENTS] = {"web", "clients", "1024", check_count},
    [CONFIG_WEB_CLIENTS_PER_ADDRESS] = {"web", "clients_per_address", "128", check_count},
    [CONFIG_WEB_SETUP] = {"web", "setup", "yes", check_yes},
    [CONFIG_MAIL_NAME] = {"mail", "name", "mail.retrogate.alt", check_domain},
    [CONFIG_MAIL_DOMAIN] = {"mail", "domain", "distant.alt", check_domain},
    [CONFIG_MAIL_SUBMISSION_LISTEN] = {"mail", "submission_listen", "127.0.0.1:1025 [::1]:1025",
                                       check_addresses},
    [CONFIG_MAIL_SUBMISSION_LISTEN_TLS] = {"mail", "submission_listen_tls", "", check_addresses},
    [CONFIG_MAIL_SUBMISSION_LISTEN_START] = {"mail", "submission_listen_start", "", check_addresses},
    [CONFIG_MAIL_POP3_LISTEN] = {"mail", "pop3_listen", "127.0.0.1:1110 [::1]:1110", check_addresses},
    [CONFIG_MAIL_POP3_LISTEN_TLS] = {"mail", "pop3_listen_tls", "", check_addresses},
    [CONFIG_MAIL_POP3_LISTEN_START] = {"mail", "pop3_listen_start", "", check_addresses},
    [CONFIG_MAIL_PLAIN_ANYWHERE] = {"mail", "plain_anywhere", "no", check_yes},
    [CONFIG_MAIL_CLIENTS] = {"mail", "clients", "256", check_count},
    [CONFIG_MAIL_CLIENTS_PER_ADDRESS] = {"mail", "clients_per_address", "32", check_count},
    [CONFIG_MAIL_MESSAGE_LIMIT] = {"mail", "message_limit", "35", check_mebibytes},
    [CONFIG_MAIL_MAILDIR] = {"mail", "maildir", "", check_folder},
    [CONFIG_MAIL_FORWARD] = {"mail", "forward", "", check_forward},
    [CONFIG_TLS_CERTIFICATE] = {"tls", "certificate", "", check_text},
    [CONFIG_TLS_KEY] = {"tls", "key", "", check_text},
    [CONFIG_LOG_LEVEL] = {"log", "level", "info", check_level},
};

struct config {
    char *text[CONFIG_KEYS];
    char words[CONFIG_KEYS][LIST_TEXT];
};

/* --- checks */

static bool check_text(const char *value, struct error **error)
{
    return strlen(value) < 256 || error_set(error, ERROR_INVALID, "longer than 255 bytes");
}

static bool check_yes(const char *value, struct error **error)
{
    return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0 ||
           error_set(error, ERROR_INVALID, "expected yes or no");
}

static size_t split(char *text, const char *words[], size_t max)
{
    size_t count = 0;
    char *word;
    while ((word = strsep(&text, " \t,")) != NULL && count < max) {
        if (*word != '\0')
            words[count++] = word;
    }
    return count;
}

/* Each word of a list; `what` names them. */
static bool check_list(const char *value, const char *what,
                       bool (*check)(const char *word, struct error **error), struct error **error)
{
    char copy[LIST_TEXT];
    const char *words[CONFIG_LIST_MAX + 1];
    if (strlen(value) >= sizeof copy)
        return error_set(error, ERROR_INVALID, "longer than %d bytes", LIST_TEXT - 1);
    snprintf(copy, sizeof copy, "%s", value);
    size_t count = split(copy, words, CONFIG_LIST_MAX + 1);
    if (count > CONFIG_LIST_MAX)
        return error_set(error, ERROR_INVALID, "more than %d %s", CONFIG_LIST_MAX, what);
    for (size_t i = 0; i < count; i++) {
        if (!check(words[i], error))
            return false;
    }
    return true;
}

static bool check_address(const char *word, struct error **error)
{
    struct sockaddr_storage address;
    return address_parse(&address, word, 0, error);
}

static bool check_addresses(const char *value, struct error **error)
{
    return check_list(value, "addresses", check_address, error);
}

static bool is_host_name(const char *text, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    return size > 0 && size <= 253 && text[0] != '.' && text[0] != '-' && strspn(text, letters) >= size;
}

static bool check_name(const char *word, struct error **error)
{
    return is_host_name(word, strlen(word)) ||
           error_set(error, ERROR_INVALID,
                     "%s: expected a host name in small letters, without scheme and port", word);
}

static bool check_names(const char *value, struct error **error)
{
    return check_list(value, "names", check_name, error);
}

/* As a browser writes it: scheme and host, and a port when it is not the scheme's own. */
static bool check_origin(const char *word, struct error **error)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i]);
        if (strncmp(word, schemes[i], size) != 0)
            continue;
        const char *host = word + size, *port = host + strcspn(host, ":");
        size_t digits = *port == ':' ? strspn(port + 1, "0123456789") : 0;
        bool whole = *port == '\0' || (digits > 0 && digits <= 5 && port[1 + digits] == '\0');
        if (whole && is_host_name(host, (size_t)(port - host)))
            return true;
    }
    return strcmp(word, "*") == 0 ||
           error_set(error, ERROR_INVALID, "%s: expected an origin such as https://chat.example.org, or *",
                     word);
}

static bool check_origins(const char *value, struct error **error)
{
    return check_list(value, "origins", check_origin, error);
}

static bool check_folder(const char *value, struct error **error)
{
    return value[0] == '\0' || value[0] == '/' ||
           error_set(error, ERROR_INVALID, "expected an absolute path");
}

static bool check_domain(const char *value, struct error **error)
{
    return (is_host_name(value, strlen(value)) && strchr(value, '.') != NULL) ||
           error_set(error, ERROR_INVALID, "expected a host name in small letters, with a dot");
}

/* A server that takes what is forwarded. */
static bool check_forward(const char *value, struct error **error)
{
    static const char *const schemes[] = {"smtp://", "smtps://"};
    if (value[0] == '\0' || strncmp(value, "lmtp:/", strlen("lmtp:/")) == 0)
        return true;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i]);
        if (strncmp(value, schemes[i], size) == 0)
            return check_address(value + size, error);
    }
    return error_set(error, ERROR_INVALID,
                     "expected smtp://ADDRESS:PORT, smtps://ADDRESS:PORT or lmtp:/PATH");
}

static bool check_mode(const char *value, struct error **error)
{
    return strcmp(value, "0600") == 0 || strcmp(value, "0660") == 0 ||
           error_set(error, ERROR_INVALID, "expected 0600 or 0660");
}

static bool check_level(const char *value, struct error **error)
{
    return strcmp(value, "error") == 0 || strcmp(value, "warn") == 0 || strcmp(value, "info") == 0 ||
           strcmp(value, "debug") == 0 ||
           error_set(error, ERROR_INVALID, "expected error, warn, info or debug");
}

static bool check_directory(const char *value, struct error **error)
{
    if (value[0] != '/')
        return error_set(error, ERROR_INVALID, "expected an absolute path");
    return strlen(value) <= 60 ||
           error_set(error, ERROR_INVALID,
                     "longer than 60 bytes; gpg-agent's socket is below it and its path is limited");
}

static bool in_range(const char *value, unsigned long low, unsigned long high, struct error **error)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    return (value[0] >= '0' && value[0] <= '9' && *end == '\0' && number >= low && number <= high) ||
           error_set(error, ERROR_INVALID, "expected a number from %lu to %lu", low, high);
}

static bool check_rate(const char *value, struct error **error)
{
    return in_range(value, 10, 100, error);
}

static bool check_workers(const char *value, struct error **error)
{
    return in_range(value, 1, 2, error);
}

static bool check_count(const char *value, struct error **error)
{
    return in_range(value, 1, 100000, error);
}

static bool check_mebibytes(const char *value, struct error **error)
{
    return in_range(value, 1, 35, error);
}

static bool check_replay(const char *value, struct error **error)
{
    return in_range(value, 1, 500, error);
}

/* --- defaults that depend on who runs it */

static void user_path(char *out, size_t size, const char *variable, const char *below_home, const char *tail)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    if (base != NULL && base[0] == '/')
        snprintf(out, size, "%s/%s", base, tail);
    else
        snprintf(out, size, "%s/%s/%s", home != NULL ? home : "/nonexistent", below_home, tail);
}

void config_default_file(char *out, size_t size)
{
    if (geteuid() == 0)
        snprintf(out, size, "/etc/retrogate/retrogate.conf");
    else
        user_path(out, size, "XDG_CONFIG_HOME", ".config", "retrogate/retrogate.conf");
}

static void standard_text(char *out, size_t size, enum config_key key)
{
    bool root = geteuid() == 0;
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    snprintf(out, size, "%s", rows[key].standard);
    if (key == CONFIG_NODE_DIRECTORY && root)
        snprintf(out, size, "/var/lib/retrogate");
    else if (key == CONFIG_NODE_DIRECTORY)
        user_path(out, size, "XDG_STATE_HOME", ".local/state", "retrogate");
    else if (key == CONFIG_CONTROL_SOCKET && root)
        snprintf(out, size, "/run/retrogate/control.sock");
    else if (key == CONFIG_CONTROL_SOCKET && runtime != NULL && runtime[0] == '/')
        snprintf(out, size, "%s/retrogate/control.sock", runtime);
}

/* --- reading */

struct reading {
    struct config *config;
    const char *file;
    struct error **error;
};

static int read_value(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *reading = arg;
    for (size_t key = 0; key < CONFIG_KEYS; key++) {
        if (strcmp(rows[key].section, section) != 0 || strcmp(rows[key].name, name) != 0)
            continue;
        struct error *wrong = NULL;
        char **slot = &reading->config->text[key];
        if (*slot != NULL)
            return error_set(reading->error, ERROR_INVALID, "%s: %s.%s is given twice", reading->file,
                             section, name);
        if (!rows[key].check(value, &wrong)) {
            error_set(reading->error, ERROR_INVALID, "%s: %s.%s: %s", reading->file, section, name,
                      wrong->text);
            error_free(wrong);
            return 0;
        }
        *slot = strdup(value);
        return *slot != NULL || error_set(reading->error, ERROR_INTERNAL, "out of memory");
    }
    return error_set(reading->error, ERROR_INVALID, "%s: there is no key %s.%s; see retrogate.conf(5)",
                     reading->file, section, name);
}

static bool fill_defaults(struct config *config, struct error **error)
{
    for (size_t key = 0; key < CONFIG_KEYS; key++) {
        char text[512];
        standard_text(text, sizeof text, (enum config_key)key);
        if (config->text[key] == NULL)
            config->text[key] = strdup(text);
        if (config->text[key] == NULL)
            return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    return true;
}

/* The bridges refuse it too; said here, a check of the file tells it. */
static bool check_plain(const struct config *config, enum config_key list, enum config_key anywhere,
                        struct error **error)
{
    const char *words[CONFIG_LIST_MAX], *section = rows[list].section, *name = rows[list].name;
    size_t count = config_list(config, list, words, CONFIG_LIST_MAX);
    for (size_t i = 0; i < count && !config_yes(config, anywhere); i++) {
        struct sockaddr_storage address;
        if (!address_parse(&address, words[i], 0, error))
            return false;
        if (!address_is_loopback((const struct sockaddr *)&address))
            return error_set(error, ERROR_INVALID,
                             "%s.%s: %s is not loopback, and passwords would pass in clear; use "
                             "%s.%s_tls, or allow it with %s.plain_anywhere",
                             section, name, words[i], section, name, section);
    }
    return true;
}

/* What no key can tell alone. */
static bool check_whole(const struct config *config, struct error **error)
{
    const char *vault = config_text(config, CONFIG_VAULT_KEY);
    bool certificate = config_text(config, CONFIG_TLS_CERTIFICATE)[0] != '\0';
    if (certificate != (config_text(config, CONFIG_TLS_KEY)[0] != '\0'))
        return error_set(error, ERROR_INVALID, "tls.certificate and tls.key go together");
    if (!check_directory(config_text(config, CONFIG_NODE_DIRECTORY), error))
        return error_prefix(error, "node.directory");
    if (strcmp(vault, "file") != 0 && strcmp(vault, "ask") != 0 && strcmp(vault, "credential") != 0 &&
        vault[0] != '/')
        return error_set(error, ERROR_INVALID,
                         "vault.key: expected file, credential, ask, or an absolute path");
    /* No place below /tmp instead: whoever makes the folder first owns the socket in it. */
    if (config_text(config, CONFIG_CONTROL_SOCKET)[0] == '\0')
        return error_set(error, ERROR_INVALID,
                         "control.socket: XDG_RUNTIME_DIR is not set; name the control socket");
    return check_plain(config, CONFIG_IRC_LISTEN, CONFIG_IRC_PLAIN_ANYWHERE, error) &&
           check_plain(config, CONFIG_WEB_LISTEN, CONFIG_WEB_PLAIN_ANYWHERE, error) &&
           check_plain(config, CONFIG_MAIL_SUBMISSION_LISTEN, CONFIG_MAIL_PLAIN_ANYWHERE, error) &&
           check_plain(config, CONFIG_MAIL_POP3_LISTEN, CONFIG_MAIL_PLAIN_ANYWHERE, error);
}

struct config *config_load(const char *file, struct error **error)
{
    char standard[512];
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    config_default_file(standard, sizeof standard);
    bool may_be_absent = file == NULL;
    if (file == NULL)
        file = standard;
    struct error *wrong = NULL;
    struct reading reading = {config, file, &wrong};
    int line = ini_parse(file, read_value, &reading);
    if (line == -1 && !may_be_absent)
        error_set(&wrong, ERROR_NOT_FOUND, "%s: cannot be read", file);
    else if (line > 0 && wrong == NULL)
        error_set(&wrong, ERROR_INVALID, "%s:%d: expected a [section] or key = value", file, line);
    if (wrong == NULL && fill_defaults(config, &wrong) && !check_whole(config, &wrong))
        error_prefix(&wrong, "%s", file);
    if (wrong == NULL)
        return config;
    error_set(error, wrong->code, "%s", wrong->text);
    error_free(wrong);
    config_free(config);
    return NULL;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t key = 0; key < CONFIG_KEYS; key++)
        free(config->text[key]);
    free(config);
}

const char *config_text(const struct config *config, enum config_key key)
{
    return config->text[key];
}

unsigned config_number(const struct config *config, enum config_key key)
{
    return (unsigned)strtoul(config->text[key], NULL, 10);
}

bool config_yes(const struct config *config, enum config_key key)
{
    return strcmp(config->text[key], "yes") == 0;
}

size_t config_list(const struct config *config, enum config_key key, const char *words[], size_t max)
{
    char *copy = ((struct config *)config)->words[key];
    snprintf(copy, LIST_TEXT, "%s", config->text[key]);
    return split(copy, words, max);
}

size_t config_addresses(const struct config *config, enum config_key key, struct sockaddr_storage *out)
{
    const char *words[CONFIG_LIST_MAX];
    size_t count = config_list(config, key, words, CONFIG_LIST_MAX);
    for (size_t i = 0; i < count; i++)
        address_parse(&out[i], words[i], 0, NULL);
    return count;
}

const char *config_name(enum config_key key)
{
    static char name[64];
    snprintf(name, sizeof name, "%s.%s", rows[key].section, rows[key].name);
    return name;
}

const char *config_default(enum config_key key)
{
    return rows[key].standard;
}
