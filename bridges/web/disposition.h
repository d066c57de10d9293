/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_DISPOSITION_H
#define RETROGATE_WEB_DISPOSITION_H

#include "base/buffer.h"

/* The fields of an answer that is a file of somebody else's. Pure. */

/* "attachment; filename=..." (RFC 6266, 8187). Of the foreign name, UTF-8, what would lead into another
 * folder, hide the file or show its ending elsewhere is left out. */
bool disposition_write(struct buffer *out, const char *name);
/* The type itself when a browser does nothing with it but show or play it; otherwise that of unknown bytes.
 */
const char *disposition_type(const char *type);

#endif
