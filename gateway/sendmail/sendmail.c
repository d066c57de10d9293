/* SPDX-License-Identifier: ISC */
#include "sendmail/sendmail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/buffer.h"
#include "control/ctl_client.h"
#include "control/ctl_upload.h"
#include "mime/mime.h"

struct job {
    struct ctl ctl;
    bool from_header, ignore_dots;
    const char *sender, *envelope, *returns;
    json_t *notify; /* NULL: the account's default */
    json_t *to;
    struct buffer message;
};

static int fail(struct job *job, int code, enum error_code kind, const char *text)
{
    struct error *error = NULL;
    error_set(&error, kind, "%s", text);
    ctl_fail(&job->ctl, 0, error);
    return code;
}

/* --- the command line */

static int read_notify(struct job *job, const char *text)
{
    json_decref(job->notify);
    job->notify = json_array();
    if (strcasecmp(text, "never") == 0)
        return EX_OK;
    while (*text != '\0') {
        size_t size = strcspn(text, ","), i = 0;
        static const char *const words[] = {"success", "failure", "delay"};
        while (i < 3 && (strlen(words[i]) != size || strncasecmp(words[i], text, size) != 0))
            i++;
        if (i == 3)
            return fail(job, EX_USAGE, ERROR_INVALID, "-N is never, or a list of success, failure, delay");
        json_array_append_new(job->notify, json_string(words[i]));
        text += size + (text[size] != '\0');
    }
    return EX_OK;
}

static int read_returns(struct job *job, const char *text)
{
    bool full = strcasecmp(text, "full") == 0;
    if (!full && strcasecmp(text, "hdrs") != 0)
        return fail(job, EX_USAGE, ERROR_INVALID, "-R is full or hdrs");
    job->returns = full ? "full" : "headers";
    return EX_OK;
}

static int read_mode(struct job *job, const char *text)
{
    if (strcmp(text, "m") == 0)
        return EX_OK;
    return fail(
        job, EX_USAGE, ERROR_INVALID,
        "of the modes of sendmail there is only -bm; for SMTP connect to retrogated (see "
        "mail.submission_listen in retrogate.conf(5)), and the queue is shown by 'retrogatectl post list'");
}

/* With a value, which stands behind it or is the next argument. */
static int option_with_value(struct job *job, char option, const char *value)
{
    switch (option) {
    case 'f':
    case 'r':
        job->sender = value;
        return EX_OK;
    case 'N':
        return read_notify(job, value);
    case 'R':
        return read_returns(job, value);
    case 'V':
        job->envelope = value;
        return EX_OK;
    default: /* -F -B -L -h -p -C -X -O: nothing that matters here */
        return EX_OK;
    }
}

/* Those whose value, if any, is in the same argument. */
static int option_alone(struct job *job, const char *option)
{
    if (strcmp(option, "t") == 0)
        job->from_header = true;
    else if (strcmp(option, "i") == 0 || strcmp(option, "oi") == 0)
        job->ignore_dots = true;
    else if (option[0] == 'b')
        return read_mode(job, option + 1);
    else if (strcmp(option, "ti") == 0 || strcmp(option, "it") == 0)
        job->from_header = job->ignore_dots = true;
    else if (strchr("oevnUGmd", option[0]) == NULL) {
        char text[96];
        snprintf(text, sizeof text, "-%.20s is not an option it knows; see retrogate-sendmail(1)", option);
        return fail(job, EX_USAGE, ERROR_INVALID, text);
    }
    return EX_OK;
}

static int read_arguments(struct job *job, int argc, char **argv)
{
    bool options = true;
    int code = EX_OK;
    for (int i = 0; i < argc && code == EX_OK; i++) {
        const char *text = argv[i];
        if (options && strcmp(text, "--") == 0) {
            options = false;
        } else if (!options || text[0] != '-' || text[1] == '\0') {
            json_t *address = json_string(text);
            if (address == NULL || json_array_append_new(job->to, address) != 0)
                code = fail(job, EX_USAGE, ERROR_INVALID, "a recipient is not UTF-8");
        } else if (strchr("frNRVFBLhpCXO", text[1]) == NULL) {
            code = option_alone(job, text + 1);
        } else if (text[2] != '\0') {
            code = option_with_value(job, text[1], text + 2);
        } else if (i + 1 < argc) {
            code = option_with_value(job, text[1], argv[++i]);
        } else {
            code = fail(job, EX_USAGE, ERROR_INVALID, "the last option needs a value");
        }
    }
    if (code == EX_OK && !job->from_header && json_array_size(job->to) == 0)
        code = fail(job, EX_USAGE, ERROR_INVALID,
                    "no recipient; name one, or add -t to take those of the header");
    return code;
}

/* --- the message */

static int read_message(struct job *job)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while (!job->message.failed && (size = getline(&line, &room, job->ctl.in)) > 0) {
        size_t plain = (size_t)size;
        while (plain > 0 && (line[plain - 1] == '\n' || line[plain - 1] == '\r'))
            plain--;
        if (!job->ignore_dots && plain == 1 && line[0] == '.')
            break;
        buffer_append(&job->message, line, (size_t)size);
    }
    free(line);
    if (ferror(job->ctl.in) != 0)
        return fail(job, EX_IOERR, ERROR_INTERNAL, "cannot read the message");
    if (job->message.failed)
        return fail(job, EX_DATAERR, ERROR_LIMIT, "the message is larger than 36 MiB");
    if (buffer_size(&job->message) == 0)
        return fail(job, EX_NOINPUT, ERROR_INVALID, "the message is empty");
    return EX_OK;
}

static int recipients_of_header(struct job *job)
{
    static const char *const fields[] = {"To", "Cc", "Bcc"};
    struct buffer lines = buffer_make(1 << 20);
    struct error *error = NULL;
    bool good = mime_start(&error);
    for (size_t i = 0; i < 3 && good; i++)
        good = mime_addresses(&lines, buffer_view(&job->message), fields[i], &error);
    struct bytes left = buffer_view(&lines);
    while (good && left.size > 0) {
        const uint8_t *end = memchr(left.data, '\n', left.size);
        size_t size = (size_t)(end - left.data);
        good = json_array_append_new(job->to, json_stringn((const char *)left.data, size)) == 0 ||
               error_set(&error, ERROR_INVALID, "an address in the header is not UTF-8");
        left = (struct bytes){end + 1, left.size - size - 1};
    }
    buffer_free(&lines);
    if (!good)
        return ctl_fail(&job->ctl, EX_DATAERR, error);
    if (json_array_size(job->to) == 0)
        return fail(job, EX_DATAERR, ERROR_INVALID, "the header names no recipient in To, Cc or Bcc");
    return EX_OK;
}

/* --- sending */

/* The code for what was told last. */
static int code_of(const struct job *job, int done)
{
    static const int codes[] = {
        [ERROR_INVALID] = EX_DATAERR,     [ERROR_NOT_FOUND] = EX_NOUSER,     [ERROR_EXISTS] = EX_DATAERR,
        [ERROR_DENIED] = EX_NOPERM,       [ERROR_LIMIT] = EX_DATAERR,        [ERROR_LOCKED] = EX_TEMPFAIL,
        [ERROR_EXPIRED] = EX_UNAVAILABLE, [ERROR_UNAVAILABLE] = EX_TEMPFAIL, [ERROR_INTERNAL] = EX_SOFTWARE,
    };
    if (done == CTL_DONE)
        return EX_OK;
    return done == CTL_REFUSED ? codes[job->ctl.failure] : done == CTL_USAGE ? EX_USAGE : EX_TEMPFAIL;
}

/* The account that "-f alice@distant.alt" names, if there is one of that name. */
static int choose_by_sender(struct job *job, json_t *command)
{
    const char *bracket = job->sender != NULL ? strrchr(job->sender, '<') : NULL,
               *sender = bracket != NULL ? bracket + 1 : job->sender;
    size_t size = sender != NULL ? strcspn(sender, "@>") : 0, index;
    json_t *ask = json_pack("{s:s}", "do", "account.list"), *result = NULL, *account;
    int code = size > 0 ? ctl_do(&job->ctl, ask, &result) : CTL_DONE;
    json_array_foreach(json_object_get(result, "accounts"), index, account)
    {
        const char *name = json_string_value(json_object_get(account, "name"));
        if (name != NULL && strlen(name) == size && strncmp(name, sender, size) == 0)
            json_object_set(command, "account", json_object_get(account, "name"));
    }
    json_decref(ask);
    json_decref(result);
    return code;
}

/* Before the message is brought, so that the one who is not known can be named. */
static int check_recipients(struct job *job, json_t *account)
{
    size_t index;
    json_t *address;
    int code = CTL_DONE;
    json_array_foreach(job->to, index, address)
    {
        struct error *error = NULL;
        json_t *ask =
                   json_pack("{s:s,s:O,s:O}", "do", "post.address", "account", account, "address", address),
               *result = NULL;
        code = ctl_do(&job->ctl, ask, &result);
        json_decref(ask);
        json_decref(result);
        if (code == CTL_DONE)
            continue;
        if (code == CTL_REFUSED && job->ctl.failure == ERROR_NOT_FOUND) {
            error_set(&error, ERROR_NOT_FOUND,
                      "'%s' is no recipient, so nothing was sent; users of this machine get no mail this way",
                      json_string_value(address));
            ctl_fail(&job->ctl, code, error);
        }
        return code;
    }
    return code;
}

static int upload(struct job *job, json_t *command)
{
    const char *account = json_string_value(json_object_get(command, "account"));
    struct bytes left = buffer_view(&job->message);
    json_int_t id = 0;
    size_t offset = 0;
    int code = ctl_upload_open(&job->ctl, account, &id);
    while (code == CTL_DONE && left.size > 0) {
        size_t size = left.size < CTL_PIECE ? left.size : CTL_PIECE;
        code = ctl_upload_write(&job->ctl, account, id, offset, (struct bytes){left.data, size});
        left = (struct bytes){left.data + size, left.size - size};
        offset += size;
    }
    json_object_set_new(command, "upload", json_integer(id));
    return code;
}

static int send_post(struct job *job)
{
    json_t *command = json_pack("{s:s,s:O}", "do", "post.send", "to", job->to), *result = NULL;
    if (job->notify != NULL)
        json_object_set(command, "notify", job->notify);
    if (job->envelope != NULL)
        json_object_set_new(command, "envelope", json_string(job->envelope));
    if (job->returns != NULL)
        json_object_set_new(command, "returns", json_string(job->returns));
    int code = choose_by_sender(job, command);
    if (code == CTL_DONE)
        code = ctl_choose_account(&job->ctl, command);
    if (code == CTL_DONE)
        code = check_recipients(job, json_object_get(command, "account"));
    if (code == CTL_DONE)
        code = upload(job, command);
    if (code == CTL_DONE)
        code = ctl_do(&job->ctl, command, &result);
    json_decref(command);
    json_decref(result);
    return code_of(job, code);
}

int sendmail_run(const struct sendmail *sendmail, int argc, char **argv)
{
    struct job job = {.ctl = {.program = "retrogate-sendmail",
                              .account_option = "-f",
                              .in = sendmail->in,
                              .out = sendmail->log,
                              .log = sendmail->log,
                              .socket = sendmail->socket,
                              .account = sendmail->account},
                      .to = json_array(),
                      .message = buffer_make(MIME_MESSAGE_LIMIT)};
    job.message.secret = true;
    int code = read_arguments(&job, argc, argv);
    if (code == EX_OK)
        code = read_message(&job);
    if (code == EX_OK && job.from_header)
        code = recipients_of_header(&job);
    if (code == EX_OK)
        code = send_post(&job);
    ctl_client_close(job.ctl.client);
    json_decref(job.notify);
    json_decref(job.to);
    buffer_free(&job.message);
    return code;
}
