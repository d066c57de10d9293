/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_APP_PASSWORDS_H
#define RETROGATE_CORE_APP_PASSWORDS_H

#include "core/session.h"

enum { APP_PASSWORDS_MAX = 64 }; /* of an account */

bool do_app_password_new(struct call *call, struct error **error);
bool do_app_password_list(struct call *call, struct error **error);
bool do_app_password_revoke(struct call *call, struct error **error);

/* The id of the account's app password that this is, when it is for this scope and was not left unused too
 * long; notes that it is used. 0: none. */
int64_t app_password_use(struct account *account, const char *password, const char *scope);
bool app_password_allows(const struct app_password *entry, const char *scope);
/* It was shown to be right: notes that it is used. False when it was left unused too long: it is gone then.
 */
bool app_password_take(struct account *account, struct app_password *entry);
struct app_password *app_password_find(const struct account *account, int64_t id);
/* Notes which have a session, and ends those that were not used for their time. */
void app_passwords_sweep(struct gateway *gateway);

#endif
