/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum { MAGIC = 0x49524351 };

/* A command given to the gateway and what its answer needs. */
struct request {
    uint32_t magic;
    struct request *prev, *next;
    struct client *client;
    struct question question;
    char label[LABEL_SIZE];
    char *target;
    char *text;
    void *data;
};

static void request_free(struct request *request)
{
    if (request->text != NULL)
        OPENSSL_cleanse(request->text, strlen(request->text)); /* may be a command with a password */
    free(request->text);
    free(request->target);
    free(request->data);
    request->magic = 0;
    free(request);
}

static struct request *request_new(struct client *client, const struct question *question)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->magic = MAGIC;
    request->client = client;
    request->question = *question;
    request->target = question->target != NULL ? strdup(question->target) : NULL;
    request->text = question->text != NULL ? strdup(question->text) : NULL;
    request->data = question->data != NULL ? malloc(question->data_size) : NULL;
    if (request->data != NULL)
        memcpy(request->data, question->data, question->data_size);
    if ((question->target != NULL && request->target == NULL) ||
        (question->data != NULL && request->data == NULL) ||
        (question->text != NULL && request->text == NULL)) {
        request_free(request);
        return NULL;
    }
    if (question->takes_label)
        client_label_take(client, request->label);
    return request;
}

static void answered(void *arg, json_t *result, const struct error *error)
{
    struct request *request = arg;
    assert(request->magic == MAGIC);
    struct client *client = request->client;
    DL_DELETE(client->requests, request);
    client->request_count--;
    /* Lines that wait are run afterwards: not inside an answer, and not inside another line. */
    bool nested = client->running;
    client->running = true;
    if (client->phase != PHASE_ENDING) {
        struct answer answer = {.result = result,
                                .error = error,
                                .target = request->target,
                                .text = request->text,
                                .number = request->question.number,
                                .data = request->data};
        client_label_begin(client, request->label);
        request->question.answered(client, &answer);
        if (request->label[0] != '\0')
            client_label_end(client);
    }
    request_free(request);
    client->running = nested;
    if (!nested)
        client_resume(client);
}

void client_ask(struct client *client, json_t *command, const struct question *question)
{
    struct request *request = command != NULL ? request_new(client, question) : NULL;
    if (request == NULL || client->session == NULL) {
        if (request != NULL)
            request_free(request);
        json_decref(command);
        client_end(client, "Out of memory");
        return;
    }
    DL_APPEND(client->requests, request);
    client->request_count++;
    struct error *error = NULL;
    uint64_t token = gateway_do(client->session, command, answered, request, &error);
    json_decref(command);
    if (token == 0)
        answered(request, NULL, error);
    error_free(error);
}

bool answer_came(struct client *client, const struct answer *answer)
{
    if (answer->result == NULL)
        client_end(client, answer->error != NULL ? answer->error->text : "The gateway gave no answer");
    return answer->result != NULL;
}

int64_t member_integer(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

const char *member_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}

void client_forget_all(struct client *client)
{
    /* gateway_logout() promises that no answer comes afterwards. */
    if (client->session != NULL)
        gateway_logout(client->session);
    client->session = NULL;
    struct request *request, *next;
    DL_FOREACH_SAFE(client->requests, request, next)
    {
        DL_DELETE(client->requests, request);
        request_free(request);
    }
    client->request_count = 0;
}
