/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_BLOBS_H
#define RETROGATE_STORE_BLOBS_H

#include "base/buffer.h"
#include "base/error.h"

/* Files named by what is in them, per account: blobs/<account>/<sha256>, under the store's directory. These
 * functions block; they run on the store's threads. */
enum { BLOB_ID = 65 }; /* 64 lower-case hex digits and a zero */

bool blob_id_valid(const char *id);

/* Makes blobs/ and removes what an interrupted write left. */
bool blobs_prepare(int directory_fd, struct error **error);
/* Durable when it returns. Writing what is there already costs no second file. */
bool blob_write(int directory_fd, int64_t account, struct bytes data, char id[BLOB_ID], struct error **error);
bool blob_is_there(int directory_fd, int64_t account, const char *id);
/* Appends at most `size` bytes from `offset`; none at the end. */
bool blob_read(int directory_fd, int64_t account, const char *id, uint64_t offset, size_t size,
               struct buffer *into, struct error **error);
/* What is not there already is no error. */
bool blob_delete(int directory_fd, int64_t account, const char *id, struct error **error);
/* Removes the account's files of which `named` says no. */
bool blobs_sweep(int directory_fd, int64_t account, bool (*named)(void *arg, const char *id), void *arg,
                 struct error **error);
/* Removes at most `most` files of the account, or its empty folder. 1: there may be more, 0: nothing left,
 * -1: error. */
int blobs_delete(int directory_fd, int64_t account, unsigned most, struct error **error);

#endif
