/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_INPUT_H
#define RETROGATE_CONTROL_CTL_INPUT_H

#include "control/ctl.h"

/* What comes from files, the standard input and the person at the terminal. */

/* The value of a parameter of the kind CTL_WORDS, CTL_DOCUMENT, CTL_SECRET or CTL_PICTURE. NULL with an
 * error. */
json_t *ctl_input_value(struct ctl *ctl, enum ctl_kind kind, const char *text, struct error **error);

/* Asks on the terminal without echo. Empty when nothing was typed. The caller wipes and frees. NULL with an
 * error, also when there is no terminal. */
char *ctl_input_secret(const char *question, struct error **error);
/* The same twice, until both agree; what is empty needs no second. */
char *ctl_input_new_secret(const char *question, struct error **error);
void ctl_input_secret_free(char *secret); /* wipes; NULL is fine */

/* One line of an answer, from ctl->in; NULL at the end of it. The caller frees. */
char *ctl_input_line(struct ctl *ctl, const char *question);

#endif
