/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_SENDMAIL_SENDMAIL_H
#define RETROGATE_SENDMAIL_SENDMAIL_H

#include <stdio.h>

/* retrogate-sendmail: a message on the standard input becomes a post, as programs expect it of sendmail. It
 * speaks to the control socket, so whoever may open that may send for any account. Returns a code of
 * sysexits.h; what is wrong is told on `log`. `socket` and `account` NULL: the default socket; the account
 * that -f names, or the only one. */
struct sendmail {
    FILE *in, *log;
    const char *socket, *account;
};

int sendmail_run(const struct sendmail *sendmail, int argc, char **argv);

#endif
