/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_UPLOADS_H
#define RETROGATE_CORE_UPLOADS_H

#include "core/session.h"

/* Bytes on their way to a command (api.md): written in pieces by one session, taken once, by that session, or
 * by any of the account when it was kept. Small ones are in memory, large ones in a file without a name in
 * the state directory. */

enum {
    UPLOADS_OF_SESSION = 8,
    UPLOADS_OF_ACCOUNT = 64,       /* of all its sessions: SMTP, web */
    UPLOADS_KEPT = 64,             /* of an account: as many as a post may have attachments */
    UPLOADS_KEPT_SIZE = 256 << 20, /* bytes of these */
    UPLOAD_LIMIT = 48 << 20,       /* bytes of one */
    UPLOAD_PIECE = 524288,         /* characters of base64 in a write */
    UPLOAD_MEMORY = 256 << 10,     /* larger ones go to a file */
    UPLOAD_IDLE_MS = 600 * 1000,
    UPLOAD_KEPT_MS = 3600 * 1000,
};

struct upload;

bool do_upload_open(struct call *call, struct error **error);
bool do_upload_write(struct call *call, struct error **error);
bool do_upload_keep(struct call *call, struct error **error);
bool do_upload_drop(struct call *call, struct error **error);

/* The session's, taken away from it; upload_free() it. NULL with an error. */
struct upload *upload_take(const struct call *call, int64_t id, struct error **error);
size_t upload_size(const struct upload *upload);
/* Appends the whole; blocks on the disk when it is large. Any thread, but only of a taken one. */
bool upload_read(const struct upload *upload, struct buffer *out);
void upload_free(struct upload *upload); /* NULL is fine */

void uploads_forget(struct gateway *gateway, const struct gateway_session *session); /* it has ended */
void uploads_account_free(const struct account *account);
void uploads_sweep(struct gateway *gateway); /* those not used */

#endif
