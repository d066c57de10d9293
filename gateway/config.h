/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONFIG_H
#define RETROGATE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"

/* The configuration file (retrogate.conf(5)): an INI file, each key documented there. Every value is kept as
 * its text in a table; config_load() checks all of them, so that `--check-config` finds what a start would
 * refuse. */
struct config;

enum config_key {
    CONFIG_NODE_NAME,
    CONFIG_NODE_DIRECTORY,
    CONFIG_NODE_LISTEN,
    CONFIG_NODE_ANNOUNCE,
    CONFIG_NODE_DNS,
    CONFIG_NODE_PROXY,
    CONFIG_NODE_FORWARD_RATE,
    CONFIG_VAULT_KEY,
    CONFIG_KEYRING_WORKERS,
    CONFIG_ACCOUNT_TYPING,
    CONFIG_CONTROL_SOCKET,
    CONFIG_CONTROL_MODE,
    CONFIG_IRC_LISTEN,
    CONFIG_IRC_LISTEN_TLS,
    CONFIG_IRC_PLAIN_ANYWHERE,
    CONFIG_IRC_NAME,
    CONFIG_IRC_CLIENTS,
    CONFIG_IRC_CLIENTS_PER_ADDRESS,
    CONFIG_IRC_REPLAY_LINES,
    CONFIG_WEB_LISTEN,
    CONFIG_WEB_LISTEN_TLS,
    CONFIG_WEB_PLAIN_ANYWHERE,
    CONFIG_WEB_NAMES,
    CONFIG_WEB_ORIGINS,
    CONFIG_WEB_FILES,
    CONFIG_WEB_CLIENTS,
    CONFIG_WEB_CLIENTS_PER_ADDRESS,
    CONFIG_WEB_SETUP,
    CONFIG_MAIL_NAME,
    CONFIG_MAIL_DOMAIN,
    CONFIG_MAIL_SUBMISSION_LISTEN,
    CONFIG_MAIL_SUBMISSION_LISTEN_TLS,
    CONFIG_MAIL_SUBMISSION_LISTEN_START,
    CONFIG_MAIL_POP3_LISTEN,
    CONFIG_MAIL_POP3_LISTEN_TLS,
    CONFIG_MAIL_POP3_LISTEN_START,
    CONFIG_MAIL_PLAIN_ANYWHERE,
    CONFIG_MAIL_CLIENTS,
    CONFIG_MAIL_CLIENTS_PER_ADDRESS,
    CONFIG_MAIL_MESSAGE_LIMIT,
    CONFIG_MAIL_MAILDIR,
    CONFIG_MAIL_FORWARD,
    CONFIG_TLS_CERTIFICATE,
    CONFIG_TLS_KEY,
    CONFIG_LOG_LEVEL,
    CONFIG_KEYS,
};

enum { CONFIG_LIST_MAX = 8 }; /* words of a list */

/* Reads and checks a file; `file` NULL: the default place, whose absence is no error. The error names file,
 * line and key. */
struct config *config_load(const char *file, struct error **error);
void config_free(struct config *config);

const char *config_text(const struct config *config, enum config_key key);
unsigned config_number(const struct config *config, enum config_key key);
bool config_yes(const struct config *config, enum config_key key);
/* The words of a list, separated by white space or commas; returns how many there are, at most `max`. They
 * live until the next call for this key. */
size_t config_list(const struct config *config, enum config_key key, const char *words[], size_t max);
/* Likewise a list of addresses, at most CONFIG_LIST_MAX. */
size_t config_addresses(const struct config *config, enum config_key key, struct sockaddr_storage *out);

/* "section.key" and the default text, for tests that hold the documents against the table. */
const char *config_name(enum config_key key);
const char *config_default(enum config_key key);
/* The default place of the file, as root or per user. */
void config_default_file(char *out, size_t size);

#endif
