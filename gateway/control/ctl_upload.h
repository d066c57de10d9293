/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_UPLOAD_H
#define RETROGATE_CONTROL_CTL_UPLOAD_H

#include "base/bytes.h"
#include "control/ctl.h"

/* Bytes for a command, brought in pieces (`upload.*` of the JSON form). What is wrong is told on ctl->log;
 * all return the exit code. The uploads end with the connection, unless they are kept. */

int ctl_upload_open(struct ctl *ctl, const char *account, json_int_t *upload);
/* At most CTL_PIECE bytes, behind those that are there. */
enum { CTL_PIECE = 384 << 10 };
int ctl_upload_write(struct ctl *ctl, const char *account, json_int_t upload, size_t offset,
                     struct bytes piece);
/* A whole file. */
int ctl_upload_file(struct ctl *ctl, const char *account, const char *path, json_int_t *upload);
int ctl_upload_keep(struct ctl *ctl, const char *account, json_int_t upload);

#endif
