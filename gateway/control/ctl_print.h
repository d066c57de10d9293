/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_PRINT_H
#define RETROGATE_CONTROL_CTL_PRINT_H

#include "control/ctl.h"

/* How the answers of the daemon look to a person. */

enum ctl_format {
    SHOW_TEXT, /* texts and numbers as they are, yes or no, lists joined by commas, objects as "key value" */
    SHOW_TIME, /* Unix milliseconds, relative to now */
    SHOW_DURATION, /* milliseconds */
    SHOW_BYTES,
    SHOW_MICROSECONDS,
    SHOW_SECONDS,  /* a time span; 0: none */
    SHOW_BLOCK,    /* a text of many lines, or a list of such; behind the other fields */
    SHOW_UNLIMITED /* a number, -1 is "no limit" */
};

struct ctl_column {
    const char *title;
    const char *member; /* "friends.up" for a member of a member */
    enum ctl_format format;
};

struct ctl_layout {
    const char *list;  /* the member of the answer that is a list: a table, one row each. NULL: one object */
    const char *empty; /* said in place of an empty table, or of an answer without members */
    struct ctl_column columns[16]; /* ends with a title that is NULL */
};

void ctl_print(const struct ctl *ctl, const struct ctl_layout *layout, const json_t *result);
/* Lines of history, as in a chat window; `handle` names the far side. */
void ctl_print_line(const struct ctl *ctl, const json_t *line, const char *handle);

/* Foreign text made harmless for a terminal: control characters and those that turn the direction of writing
 * are shown as U+FFFD. A line feed and a tab stay when `block`, and are blanks otherwise. Returns the columns
 * it takes; `out` may be NULL to know only those. */
size_t ctl_print_text(FILE *out, const char *text, bool block);

/* A foreign name made into that of a file in the present folder: its last part, with '_' for what is harmful
 * to a terminal, hides the file or looks like an option, and not longer than a file system takes. */
enum { CTL_FILE_NAME = 256 };
void ctl_file_name(char out[CTL_FILE_NAME], const char *name);

/* "in 3 h", "5 min ago", "now"; "never" for 0. Into at least 32 characters. */
void ctl_relative_time(char *out, size_t size, int64_t time_ms, int64_t now_ms);
void ctl_duration(char *out, size_t size, int64_t ms);
void ctl_bytes(char *out, size_t size, int64_t bytes);

#endif
