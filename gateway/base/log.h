/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_LOG_H
#define RETROGATE_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines go to stderr as `key=value` facts: "level=info room=friend event=up peer=k3f9a2". The format holds
 * only keys and our own words; what came from outside is passed through log_text() or log_name() first. No
 * secret, message text, link or name is ever passed. */
void log_write(enum log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_error(room, ...) log_write(LOG_LEVEL_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...)  log_write(LOG_LEVEL_WARN, room, __VA_ARGS__)
#define log_info(room, ...)  log_write(LOG_LEVEL_INFO, room, __VA_ARGS__)
#define log_debug(room, ...) log_write(LOG_LEVEL_DEBUG, room, __VA_ARGS__)

void log_set_level(enum log_level level); /* default: info */

/* A pseudonym of an id (friend, contact, account, address), keyed anew in each run: 8 characters, the same
 * for the same id within the run, worthless in another. The result is one of 8 rotating static buffers. */
const char *log_name(const void *id, size_t size);

/* Foreign text made harmless and short (at most 60 characters) for a log value: printable ASCII without
 * space, quote, backslash; the rest as \xNN. One of 8 rotating static buffers. */
const char *log_text(const void *text, size_t size);

/* Ends the program. Only before the listeners are open. */
void fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
