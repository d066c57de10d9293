/* SPDX-License-Identifier: ISC */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>

#include "base/source.h"
#include "control/ctl.h"
#include "control/ctl_qr.h"

int main(int argc, char **argv)
{
    /* For the width of characters; "C" knows only ASCII. */
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    struct ctl ctl = {
        .in = stdin,
        .out = stdout,
        .log = stderr,
        .now_ms = clock_wall_ms(),
        .clock = clock_wall_ms,
        .print_qr = ctl_qr_print,
    };
    return ctl_run(&ctl, argc - 1, argv + 1);
}
