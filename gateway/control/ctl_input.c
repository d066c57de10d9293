/* SPDX-License-Identifier: ISC */
#include "control/ctl_input.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/buffer.h"

enum { SECRET_MAX = 1024, DOCUMENT_MAX = 512 << 10, PICTURE_MAX = 32767, INTERRUPT = 3 };

static bool read_stream(FILE *file, struct buffer *into)
{
    enum { PIECE = 4096 };
    uint8_t piece[PIECE];
    size_t got = 0;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(into, piece, got);
    OPENSSL_cleanse(piece, sizeof piece);
    return !into->failed && ferror(file) == 0;
}

/* "-" is the standard input. */
static bool read_file(struct ctl *ctl, const char *path, struct buffer *into, struct error **error)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? ctl->in : fopen(path, "re");
    const char *name = standard ? "the standard input" : path;
    if (file == NULL)
        return error_set(error, ERROR_NOT_FOUND, "cannot read %s: %s", name, strerror(errno));
    errno = 0;
    bool good = read_stream(file, into);
    if (!good)
        error_set(error, ERROR_LIMIT, "cannot read %s: %s", name,
                  into->failed ? "it is too large" : strerror(errno));
    if (!standard)
        fclose(file);
    return good;
}

static json_t *picture_value(const struct buffer *data, struct error **error)
{
    struct bytes view = buffer_view(data);
    char text[(PICTURE_MAX + 2) / 3 * 4 + 1];
    int size = view.size > 0 ? EVP_EncodeBlock((unsigned char *)text, view.data, (int)view.size) : 0;
    json_t *value = json_stringn(text, (size_t)size);
    if (value == NULL)
        error_set(error, ERROR_INTERNAL, "out of memory");
    return value;
}

static json_t *text_value(const struct buffer *data, enum ctl_kind kind, struct error **error)
{
    struct bytes view = buffer_view(data);
    /* A password is the first line; a line feed at the end of a text belongs to the file and not to it. */
    const uint8_t *end = kind == CTL_SECRET && view.size > 0 ? memchr(view.data, '\n', view.size) : NULL;
    size_t size = end != NULL ? (size_t)(end - view.data) : view.size;
    while (size > 0 && (view.data[size - 1] == '\n' || view.data[size - 1] == '\r'))
        size--;
    json_t *value = size > 0 ? json_stringn((const char *)view.data, size) : NULL;
    if (value == NULL)
        error_set(error, ERROR_INVALID, size > 0 ? "the text is not UTF-8" : "the text is empty");
    return value;
}

json_t *ctl_input_value(struct ctl *ctl, enum ctl_kind kind, const char *text, struct error **error)
{
    if (kind == CTL_DOCUMENT && strcmp(text, "-") != 0) {
        if (text[0] != '@') {
            json_t *value = json_string(text);
            if (value == NULL)
                error_set(error, ERROR_INVALID, "the text is not UTF-8");
            return value;
        }
        text++;
    }
    struct buffer data = buffer_make(kind == CTL_SECRET    ? SECRET_MAX
                                     : kind == CTL_PICTURE ? PICTURE_MAX
                                                           : DOCUMENT_MAX);
    data.secret = true;
    bool removes = kind == CTL_PICTURE && text[0] == '\0';
    json_t *value = NULL;
    if (removes || read_file(ctl, text, &data, error))
        value = kind == CTL_PICTURE ? picture_value(&data, error) : text_value(&data, kind, error);
    buffer_free(&data);
    return value;
}

/* Without echo and without signals, so that the terminal is put right again whatever is typed. The question
 * comes when the terminal is silent: an answer typed at once shows neither, nor is it lost. */
static bool ask_silently(int fd, const char *question, char *into, size_t size, bool *interrupted)
{
    struct termios old, silent;
    if (tcgetattr(fd, &old) != 0)
        return false;
    silent = old;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
    silent.c_cc[VEOL] = INTERRUPT; /* ends the line, so that it is seen at once */
    if (tcsetattr(fd, TCSAFLUSH, &silent) != 0)
        return false;
    size_t length = 0;
    char c = 0;
    ssize_t got = 0;
    dprintf(fd, "%s", question);
    while ((got = read(fd, &c, 1)) == 1 && c != '\n' && c != INTERRUPT)
        if (length + 1 < size)
            into[length++] = c;
    into[length] = '\0';
    *interrupted = got != 1 || c == INTERRUPT;
    dprintf(fd, "\n");
    OPENSSL_cleanse(&c, sizeof c);
    return tcsetattr(fd, TCSAFLUSH, &old) == 0;
}

char *ctl_input_secret(const char *question, struct error **error)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char *secret = calloc(1, SECRET_MAX);
    bool interrupted = false;
    if (fd < 0 || secret == NULL || !ask_silently(fd, question, secret, SECRET_MAX, &interrupted)) {
        error_set(error, ERROR_UNAVAILABLE,
                  "there is no terminal to ask for it; give it in a file (see --help)");
        interrupted = true;
    }
    if (fd >= 0)
        close(fd);
    if (!interrupted)
        return secret;
    ctl_input_secret_free(secret);
    error_set(error, ERROR_DENIED, "interrupted; nothing was done");
    return NULL;
}

char *ctl_input_new_secret(const char *question, struct error **error)
{
    for (unsigned tries = 0; tries < 3; tries++) {
        char *first = ctl_input_secret(question, error);
        if (first == NULL || first[0] == '\0')
            return first;
        char *second = ctl_input_secret("Once more: ", error);
        bool same = second != NULL && strcmp(first, second) == 0;
        bool stop = second == NULL;
        ctl_input_secret_free(second);
        if (same)
            return first;
        ctl_input_secret_free(first);
        if (stop)
            return NULL;
    }
    error_set(error, ERROR_INVALID, "the two did not agree three times; nothing was done");
    return NULL;
}

void ctl_input_secret_free(char *secret)
{
    if (secret != NULL)
        OPENSSL_cleanse(secret, SECRET_MAX);
    free(secret);
}

char *ctl_input_line(struct ctl *ctl, const char *question)
{
    char *line = NULL;
    size_t size = 0;
    fputs(question, ctl->log);
    fflush(ctl->log);
    ssize_t length = getline(&line, &size, ctl->in);
    if (length <= 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}
