/* SPDX-License-Identifier: ISC */
#include <signal.h>
#include <stdlib.h>

#include "sendmail/sendmail.h"

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    struct sendmail sendmail = {.in = stdin,
                                .log = stderr,
                                .socket = getenv("RETROGATE_SOCKET"),
                                .account = getenv("RETROGATE_ACCOUNT")};
    return sendmail_run(&sendmail, argc - 1, argv + 1);
}
