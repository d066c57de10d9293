/* SPDX-License-Identifier: ISC */
#include "control/ctl_upload.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int done_or_failed(struct ctl *ctl, json_t *command, json_t **result)
{
    struct error *error = NULL;
    if (command == NULL) {
        error_set(&error, ERROR_INTERNAL, "out of memory");
        return ctl_fail(ctl, CTL_REFUSED, error);
    }
    int code = ctl_do(ctl, command, result);
    json_decref(command);
    return code;
}

int ctl_upload_open(struct ctl *ctl, const char *account, json_int_t *upload)
{
    json_t *result = NULL;
    int code = done_or_failed(ctl, json_pack("{s:s,s:s}", "do", "upload.open", "account", account), &result);
    *upload = json_integer_value(json_object_get(result, "upload"));
    json_decref(result);
    return code;
}

int ctl_upload_write(struct ctl *ctl, const char *account, json_int_t upload, size_t offset,
                     struct bytes piece)
{
    char *text = piece.size <= CTL_PIECE ? malloc((piece.size + 2) / 3 * 4 + 1) : NULL;
    json_t *command = NULL, *result = NULL;
    if (text != NULL) {
        int size = EVP_EncodeBlock((unsigned char *)text, piece.data, (int)piece.size);
        command = json_pack("{s:s,s:s,s:I,s:I,s:s#}", "do", "upload.write", "account", account, "upload",
                            upload, "offset", (json_int_t)offset, "data", text, size);
    }
    free(text);
    int code = done_or_failed(ctl, command, &result);
    json_decref(result);
    return code;
}

static int upload_stream(struct ctl *ctl, const char *account, FILE *file, const char *path,
                         json_int_t *upload)
{
    struct error *error = NULL;
    uint8_t *piece = malloc(CTL_PIECE);
    size_t offset = 0, got = 0;
    if (piece == NULL) {
        error_set(&error, ERROR_INTERNAL, "out of memory");
        return ctl_fail(ctl, CTL_REFUSED, error);
    }
    int code = ctl_upload_open(ctl, account, upload);
    while (code == CTL_DONE && (got = fread(piece, 1, CTL_PIECE, file)) > 0) {
        code = ctl_upload_write(ctl, account, *upload, offset, (struct bytes){piece, got});
        offset += got;
    }
    free(piece);
    if (code == CTL_DONE && ferror(file) != 0) {
        error_set(&error, ERROR_INVALID, "cannot read %s: %s", path, strerror(errno));
        code = ctl_fail(ctl, CTL_REFUSED, error);
    }
    return code;
}

int ctl_upload_file(struct ctl *ctl, const char *account, const char *path, json_int_t *upload)
{
    struct error *error = NULL;
    struct stat about;
    FILE *file = fopen(path, "re");
    if (file == NULL || fstat(fileno(file), &about) != 0 || S_ISDIR(about.st_mode)) {
        error_set(&error, ERROR_NOT_FOUND, "cannot read %s: %s", path,
                  file != NULL ? "it is a folder" : strerror(errno));
        if (file != NULL)
            fclose(file);
        return ctl_fail(ctl, CTL_REFUSED, error);
    }
    int code = upload_stream(ctl, account, file, path, upload);
    fclose(file);
    return code;
}

int ctl_upload_keep(struct ctl *ctl, const char *account, json_int_t upload)
{
    json_t *result = NULL;
    int code = done_or_failed(
        ctl, json_pack("{s:s,s:s,s:I}", "do", "upload.keep", "account", account, "upload", upload), &result);
    json_decref(result);
    return code;
}
