/* SPDX-License-Identifier: ISC */
#include "core/avatars.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/conversations.h"
#include "core/image.h"
#include "core/rows.h"

enum { ID_SIZE = sizeof((struct conversation *)NULL)->avatar };

/* As the store names a blob. */
static void name_of(char id[ID_SIZE], struct bytes image)
{
    uint8_t digest[32];
    id[0] = '\0';
    if (EVP_Digest(image.data, image.size, digest, NULL, EVP_sha256(), NULL) == 1)
        hex_lower(id, digest, sizeof digest);
}

void avatar_name_own(struct account *account)
{
    account->avatar_id[0] = '\0';
    if (buffer_size(&account->avatar) > 0)
        name_of(account->avatar_id, buffer_view(&account->avatar));
}

/* Two contacts may have one picture. */
static void drop(const struct account *account, const char *id)
{
    const struct conversation *other = account->conversations;
    while (other != NULL && strcmp(other->avatar, id) != 0 && strcmp(other->avatar_coming, id) != 0)
        other = other->hh.next;
    if (other == NULL && id[0] != '\0')
        store_blob_delete(account->gateway->store, account->id, id);
}

void avatar_forget(const struct conversation *conversation)
{
    drop(conversation->account, conversation->avatar);
}

struct naming_write {
    struct conversation *conversation;
    char replaced[ID_SIZE];
};

static void named(void *arg, const struct error *error)
{
    struct naming_write *work = arg;
    work->conversation->pins--;
    if (error == NULL || work->conversation->removed)
        drop(work->conversation->account, work->replaced);
    free(work);
}

static void stored(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)data;
    struct conversation *conversation = arg;
    conversation->pins--;
    if (error != NULL || strcmp(conversation->avatar_coming, id) == 0)
        conversation->avatar_coming[0] = '\0';
    if (error == NULL && conversation->removed)
        drop(conversation->account, id);
    if (error != NULL || conversation->removed || strcmp(conversation->avatar, id) == 0)
        return;
    struct naming_write *work = calloc(1, sizeof *work);
    struct store_batch *batch = work != NULL ? store_begin(conversation->account->gateway->store) : NULL;
    if (batch == NULL) {
        free(work);
        drop(conversation->account, id);
        return;
    }
    *work = (struct naming_write){.conversation = conversation};
    memcpy(work->replaced, conversation->avatar, sizeof work->replaced);
    snprintf(conversation->avatar, sizeof conversation->avatar, "%s", id);
    conversation->pins++;
    conversation_changed(conversation);
    struct conversation asked = conversation_as_asked(conversation);
    put_conversation(batch, &asked);
    store_commit(batch, named, work);
}

void avatar_received(struct conversation *conversation, struct bytes image)
{
    struct error *error = NULL;
    char id[ID_SIZE];
    if (!image_fits(image, &error)) {
        log_debug("core", "event=avatar-refused conversation=%s reason=\"%s\"",
                  log_name(&conversation->id, sizeof conversation->id), error->text);
        error_free(error);
        return;
    }
    name_of(id, image);
    if (strcmp(conversation->avatar, id) == 0)
        return;
    memcpy(conversation->avatar_coming, id, sizeof id);
    conversation->pins++;
    store_blob_put(conversation->account->gateway->store, conversation->account->id, image, stored,
                   conversation);
}
