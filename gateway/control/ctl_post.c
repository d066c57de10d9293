/* SPDX-License-Identifier: ISC */
#include "control/ctl_post.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "control/ctl_input.h"
#include "control/ctl_print.h"
#include "control/ctl_upload.h"

enum { PIECE = 262144, SESSION_UPLOADS = 8 };

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}

static void print(const struct ctl *ctl, const char *text)
{
    ctl_print_text(ctl->out, text, false);
}

/* --- lists */

/* The name is what the sender says, so it never stands without the address. */
static void print_people(const struct ctl *ctl, const json_t *people, bool names)
{
    size_t index;
    json_t *person;
    json_array_foreach(people, index, person)
    {
        bool named = names && text_of(person, "name")[0] != '\0';
        fputs(index > 0 ? ", " : "", ctl->out);
        print(ctl, named ? text_of(person, "name") : "");
        fputs(named ? " <" : "", ctl->out);
        print(ctl, text_of(person, "address"));
        fputs(named ? ">" : "", ctl->out);
    }
    if (json_array_size(people) == 0)
        fputs("-", ctl->out);
}

/* Of a post that was sent: what became of it, each word once. */
static void print_fate(const struct ctl *ctl, const json_t *post)
{
    const json_t *deliveries = json_object_get(post, "deliveries");
    size_t index;
    json_t *delivery;
    json_array_foreach(deliveries, index, delivery)
    {
        bool said = false;
        for (size_t i = 0; i < index; i++)
            said |= strcmp(text_of(json_array_get(deliveries, i), "delivery"),
                           text_of(delivery, "delivery")) == 0;
        if (said)
            continue;
        fputs(index > 0 ? ", " : "", ctl->out);
        print(ctl, text_of(delivery, "delivery"));
    }
}

void ctl_post_print_line(const struct ctl *ctl, const json_t *post)
{
    char when[32];
    bool in = strcmp(text_of(post, "direction"), "in") == 0;
    ctl_relative_time(when, sizeof when, json_integer_value(json_object_get(post, "time")), ctl->now_ms);
    fprintf(ctl->out, "%6" JSON_INTEGER_FORMAT "  %c%c %-14s %s ",
            json_integer_value(json_object_get(post, "seq")),
            in && json_is_false(json_object_get(post, "seen")) ? 'N' : ' ',
            json_is_true(json_object_get(post, "flagged")) ? '!' : ' ', when, in ? "from" : "to");
    print_people(ctl, json_object_get(post, in ? "from" : "to"), false);
    fputs(": ", ctl->out);
    print(ctl, text_of(post, "subject")[0] != '\0' ? text_of(post, "subject") : "(no subject)");
    fputs(" [", ctl->out);
    if (in)
        print(ctl, text_of(post, "verdict"));
    else
        print_fate(ctl, post);
    fputs("]\n", ctl->out);
}

/* The newest last, as a terminal shows what is new. */
void ctl_post_print_list(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)command;
    (void)options;
    const json_t *posts = json_object_get(result, "posts");
    for (size_t i = json_array_size(posts); i > 0; i--)
        ctl_post_print_line(ctl, json_array_get(posts, i - 1));
    if (json_array_size(posts) == 0)
        fputs("no posts\n", ctl->out);
    const json_t *last = json_array_get(posts, json_array_size(posts) - 1),
                 *before = json_object_get(result, "before");
    if (!json_is_true(json_object_get(result, "more")))
        return;
    fprintf(ctl->out, "older ones: --before %" JSON_INTEGER_FORMAT "\n",
            json_integer_value(before != NULL ? before : json_object_get(last, "seq")));
}

/* --- one post */

static void print_field(const struct ctl *ctl, const char *title, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(ctl->out, "%-13s ", title);
    print(ctl, text);
    fputc('\n', ctl->out);
}

static void print_people_field(const struct ctl *ctl, const char *title, const json_t *people)
{
    if (json_array_size(people) == 0)
        return;
    fprintf(ctl->out, "%-13s ", title);
    print_people(ctl, people, true);
    fputc('\n', ctl->out);
}

static void print_deliveries(const struct ctl *ctl, const json_t *post)
{
    size_t index;
    json_t *delivery;
    json_array_foreach(json_object_get(post, "deliveries"), index, delivery)
    {
        fprintf(ctl->out, "%-13s ", "delivery");
        print(ctl, text_of(delivery, "address"));
        fputs(": ", ctl->out);
        print(ctl, text_of(delivery, "delivery"));
        for (size_t i = 0; i < 3; i++) {
            const char *text = text_of(delivery, (const char *const[]){"protection", "level", "reason"}[i]);
            fputs(text[0] != '\0' ? ", " : "", ctl->out);
            print(ctl, text);
        }
        json_int_t until = json_integer_value(json_object_get(delivery, "until"));
        if (strcmp(text_of(delivery, "delivery"), "queued") == 0 && until != 0) {
            char when[32];
            ctl_relative_time(when, sizeof when, until, ctl->now_ms);
            fprintf(ctl->out, ", given up %s", when);
        }
        fputc('\n', ctl->out);
    }
}

static void print_parts(const struct ctl *ctl, const json_t *post)
{
    size_t index;
    json_t *part;
    json_array_foreach(json_object_get(post, "parts"), index, part)
    {
        char size[32];
        ctl_bytes(size, sizeof size, json_integer_value(json_object_get(part, "size")));
        fprintf(ctl->out, "%-13s %" JSON_INTEGER_FORMAT ": ", "attachment",
                json_integer_value(json_object_get(part, "part")));
        print(ctl, text_of(part, "name"));
        fprintf(ctl->out, ", %s\n", size);
    }
    json_array_foreach(json_object_get(post, "files"), index, part)
    {
        print_field(ctl, "file", text_of(part, "link"));
    }
}

static void print_when(const struct ctl *ctl, json_int_t time_ms)
{
    char stamp[40] = "", distance[32];
    struct tm when;
    time_t seconds = (time_t)(time_ms / 1000);
    if (localtime_r(&seconds, &when) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M", &when);
    ctl_relative_time(distance, sizeof distance, time_ms, ctl->now_ms);
    fprintf(ctl->out, "%-13s %s, %s\n", "when", stamp, distance);
}

void ctl_post_print(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)command;
    (void)options;
    print_people_field(ctl, "from", json_object_get(result, "from"));
    print_people_field(ctl, "to", json_object_get(result, "to"));
    print_people_field(ctl, "cc", json_object_get(result, "cc"));
    print_field(ctl, "subject", text_of(result, "subject"));
    print_when(ctl, json_integer_value(json_object_get(result, "time")));
    print_field(ctl, "verdict", text_of(result, "verdict_text"));
    print_field(ctl, "protection", text_of(result, "protection"));
    print_field(ctl, "came by", text_of(result, "level"));
    print_deliveries(ctl, result);
    print_parts(ctl, result);
    const char *text = text_of(result, "text");
    if (text[0] == '\0')
        return;
    fputc('\n', ctl->out);
    ctl_print_text(ctl->out, text, true);
    if (text[strlen(text) - 1] != '\n')
        fputc('\n', ctl->out);
    if (json_is_true(json_object_get(result, "text_cut")))
        fputs("(it goes on; 'retrogatectl post read' gives all)\n", ctl->out);
}

/* --- bytes of a post */

/* Asks again and again, each time behind what came. `command` is owned. */
static int fetch(struct ctl *ctl, json_t *command, FILE *out)
{
    json_int_t offset = 0;
    bool end = false;
    int code = ctl_choose_account(ctl, command);
    while (code == CTL_DONE && !end) {
        json_t *result = NULL;
        json_object_set_new(command, "offset", json_integer(offset));
        json_object_set_new(command, "size", json_integer(PIECE));
        code = ctl_do(ctl, command, &result);
        const char *data = text_of(result, "data");
        size_t size = strlen(data);
        uint8_t *bytes = malloc(size / 4 * 3 + 3);
        int got = bytes != NULL ? EVP_DecodeBlock(bytes, (const unsigned char *)data, (int)size) : -1;
        for (size_t i = 1; i <= 2 && i <= size; i++)
            got -= data[size - i] == '=';
        end = json_is_true(json_object_get(result, "end"));
        bool written =
            got >= 0 && fwrite(bytes, 1, (size_t)got, out) == (size_t)got && (!end || fflush(out) == 0);
        offset += got;
        free(bytes);
        json_decref(result);
        bool bytes_came = got > 0 || (got == 0 && end);
        if (code == CTL_DONE && (!written || !bytes_came)) {
            struct error *error = NULL;
            if (bytes_came)
                error_set(&error, ERROR_UNAVAILABLE, "cannot write it: %s", strerror(errno));
            else
                error_set(&error, ERROR_INTERNAL, "retrogated answers with nothing, or with no base64");
            code = ctl_fail(ctl, CTL_REFUSED, error);
        }
    }
    json_decref(command);
    return code;
}

static json_t *ask_for(const char *what, const json_t *options)
{
    json_t *command = json_pack("{s:s,s:O}", "do", what, "seq", json_object_get(options, ".seq"));
    json_t *part = json_object_get(options, ".part");
    if (part != NULL)
        json_object_set(command, "part", part);
    return command;
}

/* To a terminal only what is harmless; elsewhere each byte. */
int ctl_post_read(struct ctl *ctl, const json_t *options)
{
    if (!isatty(fileno(ctl->out)))
        return fetch(ctl, ask_for("post.read", options), ctl->out);
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL)
        return CTL_REFUSED;
    int code = fetch(ctl, ask_for("post.read", options), memory);
    fclose(memory);
    for (char *at = text; code == CTL_DONE && at != NULL && *at != '\0';) {
        char *end = strstr(at, "\r\n");
        if (end != NULL)
            *end = '\0';
        json_t *line = json_string(at); /* NULL: not UTF-8 */
        ctl_print_text(ctl->out, line != NULL ? at : "(a line that is not UTF-8)", false);
        fputc('\n', ctl->out);
        json_decref(line);
        at = end != NULL ? end + 2 : NULL;
    }
    free(text);
    return code;
}

static int named_by_sender(struct ctl *ctl, const json_t *options, char out[CTL_FILE_NAME])
{
    struct error *error = NULL;
    json_t *command = ask_for("post.show", options), *result = NULL, *part;
    json_int_t wanted = json_integer_value(json_object_get(options, ".part"));
    size_t index;
    json_object_del(command, "part");
    int code = ctl_choose_account(ctl, command);
    if (code == CTL_DONE)
        code = ctl_do(ctl, command, &result);
    bool found = false;
    json_array_foreach(json_object_get(result, "parts"), index, part)
    {
        if (json_integer_value(json_object_get(part, "part")) != wanted)
            continue;
        ctl_file_name(out, text_of(part, "name"));
        found = true;
    }
    json_decref(command);
    json_decref(result);
    if (code == CTL_DONE && !found) {
        error_set(&error, ERROR_NOT_FOUND, "the post has no such attachment; see 'retrogatectl post show'");
        return ctl_fail(ctl, CTL_REFUSED, error);
    }
    return code;
}

/* What is there stays until all came: the bytes go into a new file, with --force into one beside it that
 * takes its place. */
struct saving {
    const char *path;
    char beside[PATH_MAX];
    FILE *file;
};

static bool saving_begin(struct saving *saving, const char *path, bool force, struct error **error)
{
    struct stat there;
    int fd = -1;
    *saving = (struct saving){.path = path};
    bool exists = lstat(path, &there) == 0;
    if (exists && !force)
        return error_set(error, ERROR_EXISTS, "%s is there already; name another with --file, or add --force",
                         path);
    if (exists && !S_ISREG(there.st_mode))
        return error_set(error, ERROR_EXISTS, "%s is no plain file; name another with --file", path);
    if (force) {
        int size = snprintf(saving->beside, sizeof saving->beside, "%s.XXXXXX", path);
        errno = ENAMETOOLONG;
        fd = size < PATH_MAX ? mkostemp(saving->beside, O_CLOEXEC) : -1;
    } else {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    saving->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    return saving->file != NULL ||
           error_set(error, ERROR_UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
}

static bool saving_end(struct saving *saving, bool keep, struct error **error)
{
    const char *written = saving->beside[0] != '\0' ? saving->beside : saving->path;
    bool whole = fclose(saving->file) == 0;
    if (keep && whole && (written == saving->path || rename(written, saving->path) == 0))
        return true;
    if (keep)
        error_set(error, ERROR_UNAVAILABLE, "cannot write %s: %s", saving->path, strerror(errno));
    unlink(written);
    return false;
}

int ctl_post_part(struct ctl *ctl, const json_t *options)
{
    struct error *error = NULL;
    struct saving saving;
    char name[CTL_FILE_NAME];
    const char *path = json_string_value(json_object_get(options, ".file"));
    if (path != NULL && strcmp(path, "-") == 0)
        return fetch(ctl, ask_for("post.part", options), ctl->out);
    int code = path == NULL ? named_by_sender(ctl, options, name) : CTL_DONE;
    if (code != CTL_DONE)
        return code;
    path = path != NULL ? path : name;
    if (!saving_begin(&saving, path, json_object_get(options, ".force") != NULL, &error))
        return ctl_fail(ctl, CTL_REFUSED, error);
    code = fetch(ctl, ask_for("post.part", options), saving.file);
    if (!saving_end(&saving, code == CTL_DONE, &error))
        return error != NULL ? ctl_fail(ctl, CTL_REFUSED, error) : code;
    fputs("saved as ", ctl->log);
    ctl_print_text(ctl->log, path, false);
    fputc('\n', ctl->log);
    return CTL_DONE;
}

/* --- sending */

static int attach(struct ctl *ctl, json_t *command, const json_t *paths)
{
    size_t index;
    json_t *path, *list = json_array();
    const char *account = text_of(command, "account");
    int code = CTL_DONE;
    json_object_set_new(command, "attachments", list);
    json_array_foreach(paths, index, path)
    {
        json_int_t upload = 0;
        const char *text = json_string_value(path), *slash = strrchr(text, '/');
        code = ctl_upload_file(ctl, account, text, &upload);
        /* Beyond those of a session they are the account's, until the post takes them. */
        if (code == CTL_DONE && json_array_size(paths) > SESSION_UPLOADS)
            code = ctl_upload_keep(ctl, account, upload);
        if (code != CTL_DONE)
            return code;
        json_array_append_new(
            list, json_pack("{s:I,s:s}", "upload", upload, "name", slash != NULL ? slash + 1 : text));
    }
    return code;
}

/* "bob,carol" */
static json_t *split(const char *names)
{
    json_t *list = json_array();
    while (*names != '\0') {
        size_t size = strcspn(names, ", ");
        if (size > 0)
            json_array_append_new(list, json_stringn(names, size));
        names += size + (names[size] != '\0');
    }
    return list;
}

/* Options that go into the command as they are, under these names. */
static void copy_members(json_t *command, const json_t *options)
{
    static const char *const members[] = {".subject", ".reply_to", ".wait", ".cc", ".lower"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *value = json_object_get(options, members[i]);
        if (value != NULL)
            json_object_set(command, members[i] + 1, value);
    }
    if (json_object_get(command, "subject") == NULL)
        json_object_set_new(command, "subject", json_string(""));
    if (json_object_get(options, ".unsigned") != NULL)
        json_object_set_new(command, "sign", json_false());
    if (json_object_get(options, ".tell") != NULL)
        json_object_set_new(command, "notify", json_pack("[s,s,s]", "success", "failure", "delay"));
}

int ctl_post_send(struct ctl *ctl, const json_t *options)
{
    struct error *error = NULL;
    json_t *result = NULL, *text = json_incref(json_object_get(options, ".text"));
    json_t *command = json_pack("{s:s,s:o}", "do", "post.send", "to", split(text_of(options, ".to")));
    copy_members(command, options);
    int code = ctl_choose_account(ctl, command);
    if (code == CTL_DONE && text == NULL) {
        if (isatty(fileno(ctl->in)))
            fputs("The text, ended by Ctrl-D on a line of its own:\n", ctl->log);
        text = ctl_input_value(ctl, CTL_WORDS, "-", &error);
        if (text == NULL && json_object_get(options, ".attach") != NULL && error->code == ERROR_INVALID) {
            error_free(error); /* a file says enough */
            error = NULL;
            text = json_string("");
        }
        if (text == NULL)
            code = ctl_fail(ctl, CTL_USAGE, error);
    }
    json_object_set(command, "text", text);
    if (code == CTL_DONE && json_object_get(options, ".attach") != NULL)
        code = attach(ctl, command, json_object_get(options, ".attach"));
    if (code == CTL_DONE)
        code = ctl_do(ctl, command, &result);
    if (code == CTL_DONE && ctl->json) {
        json_dumpf(result, ctl->out, JSON_INDENT(2));
        fputc('\n', ctl->out);
    } else if (code == CTL_DONE) {
        fprintf(ctl->out, "post %" JSON_INTEGER_FORMAT " is stored and leaves as soon as it can\n",
                json_integer_value(json_object_get(result, "seq")));
    }
    json_decref(text);
    json_decref(result);
    json_decref(command);
    return code;
}
