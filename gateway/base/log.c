/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/sip.h"
#include "base/source.h"

enum { LINE_LIMIT = 1024, TEXT_SHOWN = 60, ROTATING = 8 };

static _Atomic int threshold = LOG_LEVEL_INFO;
static const char *const level_words[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    threshold = (int)level;
}

void log_write(enum log_level level, const char *room, const char *format, ...)
{
    if ((int)level > threshold)
        return;
    char line[LINE_LIMIT];
    int start = snprintf(line, sizeof line, "level=%s room=%s ", level_words[level], room);
    va_list arguments;
    va_start(arguments, format);
    int rest = vsnprintf(line + start, sizeof line - (size_t)start, format, arguments);
    va_end(arguments);
    size_t size = (size_t)start + (rest > 0 ? (size_t)rest : 0);
    if (size > sizeof line - 1)
        size = sizeof line - 1;
    line[size] = '\n';
    /* One write: lines of several threads do not mix. A log that cannot be written must not stop anything. */
    ssize_t written = write(STDERR_FILENO, line, size + 1);
    (void)written;
}

static uint8_t run_key[16];
static pthread_once_t run_once = PTHREAD_ONCE_INIT;

static void draw_run_key(void)
{
    random_system.fill(NULL, run_key, sizeof run_key);
}

const char *log_name(const void *id, size_t size)
{
    static _Thread_local char names[ROTATING][9];
    static _Thread_local unsigned next;
    pthread_once(&run_once, draw_run_key);
    uint64_t hash = sip_hash(run_key, id, size, 2, 4);
    char *name = names[next++ % ROTATING];
    hex_lower(name, &hash, 4);
    return name;
}

const char *log_text(const void *text, size_t size)
{
    static _Thread_local char texts[ROTATING][TEXT_SHOWN * 4 + 4];
    static _Thread_local unsigned next;
    char *out = texts[next++ % ROTATING];
    const uint8_t *bytes = text;
    size_t shown = size < TEXT_SHOWN ? size : TEXT_SHOWN, at = 0;
    for (size_t i = 0; i < shown; i++) {
        uint8_t c = bytes[i];
        if (c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=') {
            out[at++] = (char)c;
        } else {
            out[at++] = '\\';
            out[at++] = 'x';
            hex_lower(out + at, &c, 1);
            at += 2;
        }
    }
    if (shown < size) {
        memcpy(out + at, "...", 3);
        at += 3;
    }
    out[at] = '\0';
    return out;
}

void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("retrogated: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}
