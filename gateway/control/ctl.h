/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_H
#define RETROGATE_CONTROL_CTL_H

#include <jansson.h>
#include <stdio.h>

#include "base/error.h"

/* retrogatectl: a table of verbs (ctl_verbs.c), each one a command of the JSON form with its parameters and
 * the layout of its answer. What a row cannot say is a function of the row. */

enum { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3 };

struct ctl {
    const char *program;        /* in front of errors; NULL: retrogatectl */
    const char *account_option; /* that names an account; NULL: --account */
    FILE *in, *out, *log;
    const char *socket;  /* NULL: the default path */
    const char *account; /* NULL: the only one there is */
    bool json;
    int64_t now_ms;         /* Unix time, for relative times */
    int64_t (*clock)(void); /* when not NULL, now_ms is read from it again when an answer came: a person may
                               have typed for long */
    /* Prints a QR code; NULL where there is none (tests). */
    bool (*print_qr)(FILE *out, const char *text, struct error **error);
    struct ctl_client *client; /* connected when first needed */
    enum error_code failure;   /* of what ctl_fail() told last */
};

enum ctl_kind {
    CTL_NOTHING, /* ends the list */
    CTL_TEXT,
    CTL_WORDS,    /* the rest of the arguments, joined by blanks; "-" alone is the standard input */
    CTL_DOCUMENT, /* a key, certificate or link: itself, @FILE, or "-" for the standard input */
    CTL_SECRET,   /* FILE with a password in its first line, or "-" for the standard input */
    CTL_PICTURE,  /* FILE, given as base64; "" removes */
    CTL_NUMBER,
    CTL_REFERENCE, /* an id when it is digits, a name otherwise */
    CTL_SECONDS,   /* 90, 90s, 15m, 24h, 7d */
    CTL_SWITCH,    /* an option without a value */
    CTL_ON_OFF,
    CTL_LIST, /* an option that may be repeated */
};

struct ctl_param {
    enum ctl_kind kind;
    const char *name;   /* "HANDLE" for an argument, "--valid" for an option */
    const char *member; /* of the command; one that begins with '.' is only for the verb's own functions */
    const char *help;
    bool optional; /* options always are */
};

enum { CTL_PARAMS_MAX = 12, CTL_POLL_MS = 1000 };

struct ctl_layout;

struct ctl_verb {
    const char *words;   /* "friend add" */
    const char *command; /* "friend.add" */
    const char *help;
    const char *example; /* without the program's name */
    bool of_account;
    struct ctl_param params[CTL_PARAMS_MAX];
    const struct ctl_layout *layout;
    /* `options` holds the members that begin with '.'. */
    /* Completes the command before it is sent: asks for a password, asks whether one is sure. */
    bool (*prepare)(struct ctl *ctl, json_t *command, const json_t *options, struct error **error);
    /* Adds to the answer shown to a person. */
    void (*after)(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result);
    /* In place of all that: returns the exit code. */
    int (*run)(struct ctl *ctl, const json_t *options);
};

extern const struct ctl_verb ctl_verbs[];
extern const size_t ctl_verbs_count;

/* Runs one command line and returns the exit code. */
int ctl_run(struct ctl *ctl, int argc, char **argv);

/* Sends a command; what is wrong is told on ctl->log. Returns the exit code; *result is owned. */
int ctl_do(struct ctl *ctl, json_t *command, json_t **result);
/* Sets "account" of the command, if it is not there: the one named, or the only one. */
int ctl_choose_account(struct ctl *ctl, json_t *command);
int ctl_fail(struct ctl *ctl, int code, struct error *error); /* tells, frees, returns the code */

/* Verbs with a function of their own. */
int ctl_init(struct ctl *ctl, const json_t *options);
int ctl_config_check(struct ctl *ctl, const json_t *options);
int ctl_version(struct ctl *ctl, const json_t *options);
int ctl_watch(struct ctl *ctl, const json_t *options);

#endif
