/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_ARGS_H
#define RETROGATE_CONTROL_CTL_ARGS_H

#include "control/ctl.h"

/* What was typed, as a command of the JSON form. */

struct ctl_args {
    const struct ctl_verb *verb; /* NULL: none, or none that is known */
    const char *group;           /* the first word, when it names no verb alone */
    bool help;
    json_t *command; /* "do" and the members of the verb */
    json_t *options; /* the members that begin with '.' */
};

/* Reads the command line without the program's name; sets --json, --account and --socket of the ctl. Files
 * and the standard input are read here. The caller frees with ctl_args_free(), also after an error. */
bool ctl_args_parse(struct ctl *ctl, int argc, char **argv, struct ctl_args *args, struct error **error);
void ctl_args_free(struct ctl_args *args);

/* "friend add TEXT [--name NAME] [--address ADDRESS]..." */
void ctl_args_usage(FILE *out, const struct ctl_verb *verb);

#endif
