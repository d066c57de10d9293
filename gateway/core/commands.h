/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_COMMANDS_H
#define RETROGATE_CORE_COMMANDS_H

#include "core/session.h"

/* Arguments of a command whose types commands.c has already checked. Optional ones that are absent give the
 * default. */
const char *arg_text(const struct call *call, const char *name); /* NULL when absent */
int64_t arg_int(const struct call *call, const char *name, int64_t absent);
bool arg_has(const struct call *call, const char *name);
bool arg_true(const struct call *call, const char *name);

/* The contact or conversation that the argument names (id, handle, fingerprint). NULL with an error that
 * tells the next step. */
struct contact *arg_contact(const struct call *call, struct error **error);
struct conversation *arg_conversation(const struct call *call, struct error **error);

struct account *account_by_name(struct gateway *gateway, const char *name);

/* Runs a command on behalf of another one, with the rights of its session; `done` is called even when the
 * client has left meanwhile. */
bool call_run(const struct call *outer, const json_t *given, gateway_done_fn *done, void *arg,
              struct error **error);

#endif
