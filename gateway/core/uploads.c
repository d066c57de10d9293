/* SPDX-License-Identifier: ISC */
#include "core/uploads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/commands.h"
#include "wire/radix64.h"

struct upload {
    int64_t id;
    struct gateway *gateway;
    const struct gateway_session *session; /* NULL: of a command of the core, or kept */
    const struct account *account;
    bool kept;            /* for all sessions of the account */
    struct buffer memory; /* while it is small */
    int file;             /* -1: none */
    size_t size;
    uint64_t used; /* uv_now() */
    struct upload *prev, *next;
};

static struct upload *find(const struct call *call, int64_t id)
{
    struct upload *upload;
    DL_FOREACH(call->gateway->uploads, upload)
    {
        if (upload->id == id && upload->account == call->account &&
            (upload->kept || upload->session == call->session))
            return upload;
    }
    return NULL;
}

static struct upload *need(const struct call *call, int64_t id, struct error **error)
{
    struct upload *upload = find(call, id);
    if (upload == NULL)
        error_set(error, ERROR_NOT_FOUND,
                  "there is no such upload; one is forgotten after ten minutes without use, a kept one after "
                  "an hour");
    return upload;
}

void upload_free(struct upload *upload)
{
    if (upload == NULL)
        return;
    if (upload->file >= 0)
        close(upload->file);
    buffer_free(&upload->memory);
    free(upload);
}

static void drop(struct upload *upload)
{
    DL_DELETE(upload->gateway->uploads, upload);
    upload_free(upload);
}

static bool has_room(const struct call *call, struct error **error)
{
    unsigned of_session = 0, of_account = 0;
    const struct upload *upload;
    DL_FOREACH(call->gateway->uploads, upload)
    {
        of_session += !upload->kept && upload->session == call->session;
        of_account += !upload->kept && upload->account == call->account;
    }
    if (of_session >= UPLOADS_OF_SESSION || of_account >= UPLOADS_OF_ACCOUNT)
        return error_set(error, ERROR_LIMIT, "%u uploads are open already; use or drop them first",
                         of_session >= UPLOADS_OF_SESSION ? of_session : of_account);
    return true;
}

bool do_upload_open(struct call *call, struct error **error)
{
    if (!has_room(call, error))
        return false;
    struct upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *upload = (struct upload){.id = ++call->gateway->last_upload,
                              .gateway = call->gateway,
                              .session = call->session,
                              .account = call->account,
                              .memory = buffer_make(UPLOAD_MEMORY),
                              .file = -1,
                              .used = uv_now(call->gateway->loop)};
    DL_APPEND(call->gateway->uploads, upload);
    call_done(call, json_pack("{s:I}", "upload", (json_int_t)upload->id));
    return true;
}

/* Into the page cache, which is as fast as memory; nothing is synced, because nothing was promised. */
static bool write_at(int file, struct bytes data, size_t offset, struct error **error)
{
    while (data.size > 0) {
        ssize_t size = pwrite(file, data.data, data.size, (off_t)offset);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return error_set(error, ERROR_UNAVAILABLE, "the upload cannot be kept: %s",
                             size < 0 ? strerror(errno) : "the disk takes no more");
        data = bytes_of(data.data + size, data.size - (size_t)size);
        offset += (size_t)size;
    }
    return true;
}

static bool move_to_file(struct upload *upload, struct error **error)
{
    int file = open(upload->gateway->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) {
        /* Not every file system has files without a name. */
        char path[sizeof upload->gateway->directory + 32];
        snprintf(path, sizeof path, "%s/upload.XXXXXX", upload->gateway->directory);
        file = mkostemp(path, O_CLOEXEC);
        if (file >= 0)
            unlink(path);
    }
    if (file < 0)
        return error_set(error, ERROR_UNAVAILABLE, "the upload cannot be kept: %s", strerror(errno));
    if (!write_at(file, buffer_view(&upload->memory), 0, error)) {
        close(file);
        return false;
    }
    upload->file = file;
    buffer_free(&upload->memory);
    return true;
}

/* `data` comes behind what is there. */
static bool append(struct upload *upload, struct bytes data, struct error **error)
{
    if (data.size > UPLOAD_LIMIT - upload->size)
        return error_set(error, ERROR_LIMIT, "an upload holds at most %d bytes", UPLOAD_LIMIT);
    if (upload->file < 0 && upload->size + data.size > UPLOAD_MEMORY && !move_to_file(upload, error))
        return false;
    bool good = upload->file >= 0 ? write_at(upload->file, data, upload->size, error)
                                  : buffer_append_bytes(&upload->memory, data) ||
                                        error_set(error, ERROR_INTERNAL, "out of memory");
    if (good)
        upload->size += data.size;
    return good;
}

bool do_upload_write(struct call *call, struct error **error)
{
    struct upload *upload = need(call, arg_int(call, "upload", 0), error);
    int64_t offset = arg_int(call, "offset", -1);
    struct bytes text = bytes_of_string(arg_text(call, "data"));
    if (upload == NULL)
        return false;
    if (text.size > UPLOAD_PIECE)
        return error_set(error, ERROR_LIMIT, "a piece holds at most %d characters of base64", UPLOAD_PIECE);
    if (offset < 0 || (uint64_t)offset > upload->size)
        return error_set(error, ERROR_INVALID, "%zu bytes are there; go on at this offset", upload->size);
    struct buffer data = buffer_make(UPLOAD_PIECE);
    bool good =
        radix64_decode(&data, text) || error_set(error, ERROR_INVALID, "upload.write: data must be base64");
    struct bytes piece = buffer_view(&data);
    /* What is there already was sent twice. */
    size_t known = upload->size - (size_t)offset;
    if (good && known < piece.size)
        good = append(upload, bytes_of(piece.data + known, piece.size - known), error);
    buffer_free(&data);
    upload->used = uv_now(call->gateway->loop);
    if (good)
        call_done(call, json_pack("{s:I}", "size", (json_int_t)upload->size));
    return good;
}

bool do_upload_drop(struct call *call, struct error **error)
{
    struct upload *upload = need(call, arg_int(call, "upload", 0), error);
    if (upload == NULL)
        return false;
    drop(upload);
    call_done(call, NULL);
    return true;
}

/* The kept upload of the account that was unused longest; NULL when they are not too many. */
static struct upload *spare(const struct upload *another)
{
    unsigned count = 1;
    size_t size = another->size;
    struct upload *upload, *oldest = NULL;
    DL_FOREACH(another->gateway->uploads, upload)
    {
        if (!upload->kept || upload == another || upload->account != another->account)
            continue;
        count++;
        size += upload->size;
        if (oldest == NULL || upload->used < oldest->used)
            oldest = upload;
    }
    return count > UPLOADS_KEPT || size > UPLOADS_KEPT_SIZE ? oldest : NULL;
}

bool do_upload_keep(struct call *call, struct error **error)
{
    struct upload *upload = need(call, arg_int(call, "upload", 0), error), *given_up;
    if (upload == NULL)
        return false;
    while ((given_up = spare(upload)) != NULL)
        drop(given_up);
    upload->session = NULL;
    upload->kept = true;
    upload->used = uv_now(call->gateway->loop);
    call_done(call,
              json_pack("{s:I,s:I}", "upload", (json_int_t)upload->id, "size", (json_int_t)upload->size));
    return true;
}

struct upload *upload_take(const struct call *call, int64_t id, struct error **error)
{
    struct upload *upload = need(call, id, error);
    if (upload != NULL)
        DL_DELETE(call->gateway->uploads, upload);
    return upload;
}

size_t upload_size(const struct upload *upload)
{
    return upload->size;
}

bool upload_read(const struct upload *upload, struct buffer *out)
{
    if (upload->file < 0)
        return buffer_append_bytes(out, buffer_view(&upload->memory));
    uint8_t *room = buffer_reserve(out, upload->size);
    size_t done = 0;
    while (room != NULL && done < upload->size) {
        ssize_t size = pread(upload->file, room + done, upload->size - done, (off_t)done);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return false;
        done += (size_t)size;
    }
    if (room != NULL)
        buffer_commit(out, done);
    return room != NULL;
}

void uploads_forget(struct gateway *gateway, const struct gateway_session *session)
{
    struct upload *upload, *next;
    DL_FOREACH_SAFE(gateway->uploads, upload, next)
    {
        if (!upload->kept && upload->session == session)
            drop(upload);
    }
}

void uploads_account_free(const struct account *account)
{
    struct upload *upload, *next;
    DL_FOREACH_SAFE(account->gateway->uploads, upload, next)
    {
        if (upload->account == account)
            drop(upload);
    }
}

void uploads_sweep(struct gateway *gateway)
{
    uint64_t now = uv_now(gateway->loop);
    struct upload *upload, *next;
    DL_FOREACH_SAFE(gateway->uploads, upload, next)
    {
        if (now - upload->used >= (upload->kept ? UPLOAD_KEPT_MS : UPLOAD_IDLE_MS))
            drop(upload);
    }
}
