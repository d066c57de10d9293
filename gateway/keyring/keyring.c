/* SPDX-License-Identifier: ISC */
#include "keyring/keyring.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/map.h"
#include "keyring/child.h"
#include "keyring/frame.h"

/* Posts that wait are copies in this process's memory; one always finds room. */
enum { QUEUE_BYTES_MAX = 128 << 20 };

enum { WORKERS_MAX = 2, QUEUE_MAX = 512, DIRECTORY_SIZE_MAX = 65, WAIT_MS = 120000 };

/* How long a worker may take: beyond it something hangs, and it is killed. Key generation waits for prime
 * numbers. */
static const uint64_t patience_ms[PURPOSE_LAST + 1] = {
    [PURPOSE_CREATE] = 180000,         [PURPOSE_IMPORT] = 60000,      [PURPOSE_LOCATION_NEW] = 120000,
    [PURPOSE_VERIFY_LOCATION] = 20000, [PURPOSE_CHECK_KEY] = 20000,   [PURPOSE_INVITE_NEW] = 30000,
    [PURPOSE_INVITE_OPEN] = 30000,     [PURPOSE_FORGET] = 30000,      [PURPOSE_POST_SEAL] = 60000,
    [PURPOSE_POST_OPEN] = 60000,       [PURPOSE_POST_VERIFY] = 30000, [PURPOSE_POST_GREET] = 30000,
    [PURPOSE_POST_CHECK] = 20000,
};

struct task {
    uint64_t id;
    enum purpose purpose;
    struct buffer frame;
    size_t size;       /* of the frame while it waits */
    uint64_t deadline; /* loop time: of waiting, then of the work */
    bool sent, late;
    struct error *failed; /* why it never gets to a worker */
    keyring_progress_fn *progress;
    keyring_fn *done; /* NULL: cancelled */
    void *arg;
    struct task *prev, *next;
};

/* The requests of one worker. It gets one at a time, the first of the list, so that the others can still be
 * cancelled and survive its end. */
struct lane {
    struct keyring *keyring;
    struct child *child;
    struct task *tasks;
    size_t count, bytes;
};

struct keyring {
    uv_loop_t *loop;
    uv_timer_t timer; /* the nearest deadline */
    unsigned workers;
    uint64_t last_id;
    bool stopping;
    struct task *refused; /* to be told from the loop */
    struct lane lanes[WORKERS_MAX];
};

static void timer_fired(uv_timer_t *timer);

static void schedule(struct keyring *keyring)
{
    uint64_t now = uv_now(keyring->loop), nearest = keyring->refused ? now : UINT64_MAX;
    const struct task *task;
    for (unsigned i = 0; i < keyring->workers; i++)
        DL_FOREACH(keyring->lanes[i].tasks, task)
    nearest = task->deadline < nearest ? task->deadline : nearest;
    if (nearest == UINT64_MAX)
        uv_timer_stop(&keyring->timer);
    else
        uv_timer_start(&keyring->timer, timer_fired, nearest > now ? nearest - now : 0, 0);
}

static void pump(struct lane *lane)
{
    struct task *task = lane->tasks;
    if (!task || task->sent || !child_is_up(lane->child))
        return;
    task->sent = true;
    task->deadline = uv_now(lane->keyring->loop) + patience_ms[task->purpose];
    lane->bytes -= task->size;
    task->size = 0;
    child_send(lane->child, &task->frame, frame_most(task->purpose));
}

static void task_free(struct task *task)
{
    buffer_free(&task->frame);
    error_free(task->failed);
    free(task);
}

static void unlink_task(struct lane *lane, struct task *task)
{
    DL_DELETE(lane->tasks, task);
    lane->count--;
    lane->bytes -= task->size;
}

/* The last thing done with a task; the callback may stop the keyring. */
static void finish(struct task *task, const struct keyring_answer *answer)
{
    if (task->done)
        task->done(task->arg, answer);
    task_free(task);
}

static void finish_failed(struct task *task, enum error_code code, const char *text)
{
    struct error *error = NULL;
    error_set(&error, code, "%s", text);
    finish(task, &(struct keyring_answer){.error = error});
    error_free(error);
}

static void take_answer(void *arg, struct bytes frame)
{
    struct lane *lane = arg;
    struct task *task = lane->tasks;
    struct answer answer;
    if (!answer_parse(&answer, frame) || !task || !task->sent || answer.id != task->id) {
        child_kill(lane->child);
    } else if (answer.progress) {
        if (task->progress)
            task->progress(task->arg, answer.error.text);
    } else {
        unlink_task(lane, task);
        pump(lane);
        schedule(lane->keyring);
        finish(task, &answer.fields);
    }
    OPENSSL_cleanse(answer.fields.key, sizeof(answer.fields.key));
}

static void child_up(void *arg)
{
    struct lane *lane = arg;
    pump(lane);
    schedule(lane->keyring);
}

static void child_down(void *arg)
{
    struct lane *lane = arg;
    struct task *task = lane->tasks;
    if (!task || !task->sent)
        return;
    unlink_task(lane, task);
    schedule(lane->keyring);
    finish_failed(task, ERROR_UNAVAILABLE,
                  task->late ? "the keyring took too long and is started again"
                             : "the keyring ended while it worked on this and is started again");
}

/* One waiting task over its time, or NULL. */
static struct task *take_late(struct keyring *keyring)
{
    uint64_t now = uv_now(keyring->loop);
    for (unsigned i = 0; i < keyring->workers; i++) {
        struct lane *lane = &keyring->lanes[i];
        struct task *task, *next;
        DL_FOREACH_SAFE(lane->tasks, task, next)
        {
            if (task->deadline > now)
                continue;
            if (!task->sent) {
                unlink_task(lane, task);
                return task;
            }
            task->late = true;
            task->deadline = UINT64_MAX; /* child_down() follows */
            child_kill(lane->child);
        }
    }
    return NULL;
}

/* One callback for each turn of the timer, since it may stop the keyring. */
static void timer_fired(uv_timer_t *timer)
{
    struct keyring *keyring = timer->data;
    struct task *task = keyring->refused;
    if (task) {
        DL_DELETE(keyring->refused, task);
        schedule(keyring);
        finish(task, &(struct keyring_answer){.error = task->failed});
        return;
    }
    task = take_late(keyring);
    schedule(keyring);
    if (task)
        finish_failed(task, ERROR_UNAVAILABLE, "the keyring is busy; try again later");
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Owned by this user alone, or made so. */
static bool check_directory(const char *directory, struct error **error)
{
    struct stat status;
    if (strlen(directory) > DIRECTORY_SIZE_MAX)
        return error_set(error, ERROR_INVALID, "the keyring's directory has a path over %d characters",
                         DIRECTORY_SIZE_MAX);
    if (mkdir(directory, 0700) != 0 && lstat(directory, &status) != 0)
        return error_set(error, ERROR_UNAVAILABLE, "the keyring's directory cannot be made");
    if (lstat(directory, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_mode & 077)
        return error_set(error, ERROR_DENIED, "the keyring's directory must be a folder with mode 0700");
    return true;
}

struct keyring *keyring_start(uv_loop_t *loop, const struct keyring_options *options, struct error **error)
{
    static const struct child_events events = {take_answer, child_up, child_down};
    if (options->workers < 1 || options->workers > WORKERS_MAX) {
        error_set(error, ERROR_INVALID, "the keyring has 1 or %d workers", WORKERS_MAX);
        return NULL;
    }
    if (!check_directory(options->directory, error))
        return NULL;
    struct keyring *keyring = calloc(1, sizeof(*keyring));
    if (!keyring) {
        error_set(error, ERROR_UNAVAILABLE, "no memory");
        return NULL;
    }
    keyring->loop = loop;
    uv_timer_init(loop, &keyring->timer);
    keyring->timer.data = keyring;
    for (unsigned i = 0; i < options->workers; i++) {
        struct lane *lane = &keyring->lanes[i];
        const struct child_options child = {options->program, options->directory, i, options->workers};
        lane->keyring = keyring;
        lane->child = child_start(loop, &child, &events, lane, error);
        if (!lane->child) {
            keyring_stop(keyring);
            return NULL;
        }
        keyring->workers = i + 1;
    }
    return keyring;
}

void keyring_stop(struct keyring *keyring)
{
    if (!keyring)
        return;
    struct task *task;
    keyring->stopping = true;
    for (unsigned i = 0; i < keyring->workers; i++)
        while ((task = keyring->lanes[i].tasks)) {
            unlink_task(&keyring->lanes[i], task);
            finish_failed(task, ERROR_UNAVAILABLE, "the keyring is shutting down");
        }
    while ((task = keyring->refused)) {
        DL_DELETE(keyring->refused, task);
        finish(task, &(struct keyring_answer){.error = task->failed});
    }
    for (unsigned i = 0; i < keyring->workers; i++)
        child_stop(keyring->lanes[i].child);
    uv_close((uv_handle_t *)&keyring->timer, timer_closed);
}

/* Requests without a home go where less waits. */
static struct lane *choose_lane(struct keyring *keyring, struct bytes home)
{
    if (home.size > 0)
        return &keyring->lanes[home_worker(home, keyring->workers)];
    struct lane *best = &keyring->lanes[0];
    for (unsigned i = 1; i < keyring->workers; i++)
        if (keyring->lanes[i].count < best->count)
            best = &keyring->lanes[i];
    return best;
}

static void enqueue(struct keyring *keyring, struct task *task, const struct request *request)
{
    struct lane *lane = choose_lane(keyring, request->home);
    size_t size = frame_request_size(request);
    task->frame = buffer_make(size);
    task->frame.secret = true;
    if (lane->count >= QUEUE_MAX || (lane->bytes > 0 && size > QUEUE_BYTES_MAX - lane->bytes)) {
        error_set(&task->failed, ERROR_LIMIT, "too many requests wait for the keyring");
    } else if (!frame_request_write(&task->frame, request)) {
        error_set(&task->failed, ERROR_LIMIT, "what was given to the keyring is too large");
    }
    if (task->failed) {
        DL_APPEND(keyring->refused, task);
    } else {
        task->deadline = uv_now(keyring->loop) + WAIT_MS;
        task->size = size;
        DL_APPEND(lane->tasks, task);
        lane->count++;
        lane->bytes += size;
        pump(lane);
    }
    schedule(keyring);
}

static uint64_t submit(struct keyring *keyring, struct request *request, keyring_progress_fn *progress,
                       keyring_fn *done, void *arg)
{
    struct task *task = keyring->stopping ? NULL : calloc(1, sizeof(*task));
    if (!task)
        return 0;
    request->id = task->id = ++keyring->last_id;
    task->purpose = request->purpose;
    task->progress = progress;
    task->done = done;
    task->arg = arg;
    enqueue(keyring, task, request);
    return request->id;
}

static struct request for_secret(enum purpose purpose, const struct keyring_secret *secret)
{
    struct request request = {
        .purpose = purpose, .home = bytes_of_string(secret->home), .passphrase = secret->passphrase};
    memcpy(request.fingerprint, secret->fingerprint, sizeof(request.fingerprint));
    return request;
}

uint64_t keyring_create(struct keyring *keyring, const struct keyring_secret *secret, const char *name,
                        bool node, keyring_progress_fn *progress, keyring_fn *done, void *arg)
{
    struct request request = for_secret(PURPOSE_CREATE, secret);
    request.name = bytes_of_string(name);
    request.node = node;
    return submit(keyring, &request, progress, done, arg);
}

uint64_t keyring_import_secret(struct keyring *keyring, const struct keyring_secret *secret, struct bytes key,
                               struct bytes old_passphrase, bool node, keyring_fn *done, void *arg)
{
    struct request request = for_secret(PURPOSE_IMPORT, secret);
    request.data = key;
    request.old_passphrase = old_passphrase;
    request.node = node;
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_location_new(struct keyring *keyring, const struct keyring_secret *node, keyring_fn *done,
                              void *arg)
{
    struct request request = for_secret(PURPOSE_LOCATION_NEW, node);
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_verify_location(struct keyring *keyring, struct bytes certificate, struct bytes key_block,
                                 const uint8_t fingerprint[20], keyring_fn *done, void *arg)
{
    struct request request = {
        .purpose = PURPOSE_VERIFY_LOCATION, .data = certificate, .key_block = key_block};
    memcpy(request.fingerprint, fingerprint, sizeof(request.fingerprint));
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_check_key(struct keyring *keyring, struct bytes key_block, keyring_fn *done, void *arg)
{
    struct request request = {.purpose = PURPOSE_CHECK_KEY, .key_block = key_block};
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_invite_new(struct keyring *keyring, const struct keyring_secret *account,
                            const struct keyring_invite *invite, keyring_fn *done, void *arg)
{
    struct request request = for_secret(PURPOSE_INVITE_NEW, account);
    request.key_block = invite->addressee;
    request.expires = invite->expires;
    request.sealing = invite->sealing;
    memcpy(request.hash, invite->hash, sizeof(request.hash));
    memcpy(request.key, invite->key, sizeof(request.key));
    uint64_t id = submit(keyring, &request, NULL, done, arg);
    OPENSSL_cleanse(request.key, sizeof(request.key));
    return id;
}

uint64_t keyring_invite_open(struct keyring *keyring, const struct keyring_secret *account, struct bytes blob,
                             struct bytes inviter, keyring_fn *done, void *arg)
{
    struct request request = for_secret(PURPOSE_INVITE_OPEN, account);
    request.data = blob;
    request.key_block = inviter;
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_post_seal(struct keyring *keyring, const struct keyring_secret *account,
                           const struct keyring_post *post, keyring_fn *done, void *arg)
{
    struct request request = for_secret(PURPOSE_POST_SEAL, account);
    request.post = *post;
    request.key_block = post->addressee;
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_post_open(struct keyring *keyring, const struct keyring_secret *account,
                           struct bytes message, keyring_fn *done, void *arg)
{
    struct request request = for_secret(PURPOSE_POST_OPEN, account);
    request.data = message;
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_post_verify(struct keyring *keyring, struct bytes plain, struct bytes signature, bool sealed,
                             struct bytes key_block, const uint8_t fingerprint[20], keyring_fn *done,
                             void *arg)
{
    struct request request = {.purpose = PURPOSE_POST_VERIFY,
                              .data = plain,
                              .signature = signature,
                              .key_block = key_block,
                              .post.sealed = sealed};
    memcpy(request.fingerprint, fingerprint, sizeof(request.fingerprint));
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_post_greet(struct keyring *keyring, const struct keyring_secret *account,
                            const uint8_t day_key[32], keyring_fn *done, void *arg)
{
    struct request request = for_secret(PURPOSE_POST_GREET, account);
    memcpy(request.day_key, day_key, sizeof(request.day_key));
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_post_check(struct keyring *keyring, const uint8_t day_key[32], struct bytes signature,
                            struct bytes key_block, const uint8_t fingerprint[20], keyring_fn *done,
                            void *arg)
{
    struct request request = {.purpose = PURPOSE_POST_CHECK, .signature = signature, .key_block = key_block};
    memcpy(request.day_key, day_key, sizeof(request.day_key));
    memcpy(request.fingerprint, fingerprint, sizeof(request.fingerprint));
    return submit(keyring, &request, NULL, done, arg);
}

uint64_t keyring_forget(struct keyring *keyring, const char *home, keyring_fn *done, void *arg)
{
    struct request request = {.purpose = PURPOSE_FORGET, .home = bytes_of_string(home)};
    return submit(keyring, &request, NULL, done, arg);
}

void keyring_cancel(struct keyring *keyring, uint64_t id)
{
    struct task *task, *next;
    for (unsigned i = 0; i < keyring->workers; i++)
        DL_FOREACH_SAFE(keyring->lanes[i].tasks, task, next)
        {
            if (task->id != id)
                continue;
            task->done = NULL;
            task->progress = NULL;
            if (!task->sent) {
                unlink_task(&keyring->lanes[i], task);
                task_free(task);
                schedule(keyring);
            }
            return;
        }
    DL_FOREACH(keyring->refused, task)
    if (task->id == id)
        task->done = NULL;
}
