/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_FOLD_H
#define RETROGATE_STORE_FOLD_H

#include "base/buffer.h"

/* Finds a text in others whatever the case of their letters, in every script (the C library's simple
 * mappings; one thread each). Composed and decomposed letters stay different. */
struct finder;
struct finder *finder_new(void); /* NULL without memory */
void finder_free(struct finder *finder);

/* What is looked for from now on. False without memory. */
bool finder_set(struct finder *finder, struct bytes text);
/* Bytes that are no UTF-8 stand for themselves. Without memory it finds nothing and sets *failed. */
bool finder_in(struct finder *finder, struct bytes text, bool *failed);

#endif
