/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_SETUP_H
#define RETROGATE_WEB_SETUP_H

#include "base/bytes.h"
#include "site.h"

/* The first run: while the gateway has no account, whoever knows a code that only the operator can read may
 * make the first one in the browser. Opened and closed by http.c. */
struct setup;

/* Asks the gateway for its accounts; when there are none the code appears in site->setup_code and in
 * site->setup_file, and site->changed is called, from the loop. */
struct setup *setup_open(struct site *site, struct error **error);
void setup_close(struct setup *setup); /* removes the file; no answer comes afterwards */

/* Asks again whether the first run is still due: an account may have come by another door. `done` follows
 * from the loop, never before this returns; the result is in site->setup_code. Returns 0 when it cannot be
 * asked. */
typedef void setup_fn(void *arg, json_t *account, const struct error *error);
uint64_t setup_check(struct setup *setup, setup_fn *done, void *arg);
/* Makes the first account, an operator, with this account.add. `done` follows as above, or *error is set and
 * 0 returned: a wrong code, no first run, another one under way. A reference
 * to `command` is kept. */
uint64_t setup_add(struct setup *setup, struct bytes code, json_t *command, setup_fn *done, void *arg,
                   struct error **error);
void setup_forget(struct setup *setup, uint64_t ticket); /* `done` is not called any more */

#endif
